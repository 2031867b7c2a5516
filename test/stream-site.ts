// A boot source on loopback: a signed simplestream, and what goes wrong with one.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openpgpSigner, type OpenpgpSigner } from './openpgp-signer.ts';

export interface StreamTree {
  readonly os: string;
  readonly release: string;
  readonly version: string;
  readonly bytes: Buffer;
  readonly ftype?: string;
}

export interface BootSourceSite extends AsyncDisposable {
  readonly url: string;
  readonly signer: OpenpgpSigner;
  /** By path: what is answered instead of the file. */
  readonly instead: Map<string, (request: IncomingMessage, response: ServerResponse) => void>;
  /** Asked for so far: path and range. */
  readonly asked: string[];
  /** Bytes by path. */
  readonly files: Map<string, Buffer>;
  /** Publish these images. @returns the paths of their files. */
  publish(trees: readonly StreamTree[]): string[];
}

export const productsPath = 'streams/v1/products.sjson';

export async function bootSourceSite(): Promise<BootSourceSite> {
  const signer = openpgpSigner();
  const files = new Map<string, Buffer>();
  const instead: BootSourceSite['instead'] = new Map();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1);
    const { range } = request.headers;
    asked.push(range === undefined ? path : `${path} ${range}`);
    const other = instead.get(path);
    if (other) return other(request, response);
    const bytes = files.get(path);
    if (!bytes) return void response.writeHead(404).end();
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    if (range === undefined) return void response.end(bytes);
    response.writeHead(206, { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }).end(bytes.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const put = (path: string, value: unknown) => {
    const text = JSON.stringify(value, undefined, 1);
    files.set(path, Buffer.from(signer.clearsign(text)));
    files.set(path.replace(/sjson$/, 'json'), Buffer.from(text));
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    signer,
    instead,
    asked,
    files,
    publish: (trees) => {
      const paths = trees.map(({ os, release, version }) => `${os}/${release}/${version}/root.tar.zst`);
      const products = trees.map(({ os, release, version, bytes, ftype = 'root-tar.zst' }, at) => {
        files.set(paths[at]!, bytes);
        const item = { ftype, path: paths[at], sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length };
        return [
          `test:${at}`,
          { os, release, arch: 'amd64', subarches: 'generic', versions: { [version]: { label: 'stable', items: { root: item } } } },
        ];
      });
      put(productsPath, { format: 'products:1.0', products: Object.fromEntries(products) });
      put('streams/v1/index.sjson', { format: 'index:1.0', index: { images: { format: 'products:1.0', path: productsPath } } });
      return paths;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
