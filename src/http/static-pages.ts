/**
 * The web page's files. What there is to serve is read once at the start, so that no path of a request ever becomes a path of the disk.
 * Built assets carry a hash in their names and are cached for good; everything that is no file is the page itself (`index.html`).
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { Readable } from 'node:stream';
import { basePaths } from '../contract/route.ts';
import { file } from './reply.ts';
import type { BodyReply, FileSource } from './reply.ts';
import type { Pages } from './server.ts';

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};

/** Scripts come from here and nowhere else. Styles may be inline: react-aria positions its overlays with them. */
const security: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
};

const forever = 'public, max-age=31536000, immutable';
/** Vite puts everything with a hash in its name here. */
const hashed = '/assets/';
/** Below these, what is unknown is an unknown endpoint and never the page. */
const notPages = Object.values(basePaths).filter((path) => path !== '/');

interface Page {
  readonly source: FileSource;
  readonly contentType: string;
  readonly cache: string;
}

async function readPage(path: string, name: string): Promise<Page> {
  const content = await readFile(path);
  const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
  // From memory (0.8 MB): a page that is built anew while we run must not be served in halves.
  const open = (start: number, end: number) => Readable.from([content.subarray(start, end + 1)]);
  return {
    source: { size: content.length, open, etag },
    contentType: contentTypes[extname(path)] ?? 'application/octet-stream',
    cache: name.startsWith(hashed) ? forever : 'no-cache',
  };
}

function replyOf({ source, contentType, cache }: Page): BodyReply {
  return { ...file(source, contentType), headers: { ...security, 'cache-control': cache } };
}

/** Serve a folder of built pages. @throws Error when it holds no index.html. */
export async function staticPages(folder: string): Promise<Pages> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const pages = new Map<string, Page>();
  for (const entry of found.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const name = `/${relative(folder, path).split(sep).join('/')}`;
    pages.set(name, await readPage(path, name));
  }
  const index = pages.get('/index.html');
  if (!index) throw new Error(`${folder} holds no index.html. It is built by npm start.`);
  return ({ path }) => {
    const page = pages.get(path);
    if (page) return replyOf(page);
    // A missing script answered with the page would be cached, and run, as one.
    if (path.startsWith(hashed) || notPages.some((base) => path.startsWith(base))) return undefined;
    return replyOf(index);
  };
}
