/** Where the parts of a stream are: below the source's own address and nowhere else. Pure. */
import { StreamTrouble } from './stream-trouble.ts';

export interface StreamPlace {
  /** What paths are relative to, without a slash at its end. */
  readonly root: string;
  /** The index's path. */
  readonly index: string;
}

const segment = /^[A-Za-z0-9_][A-Za-z0-9_.~+@=:,-]{0,254}$/;

/** A path that leads down only. */
export function isStreamPath(path: string): boolean {
  return path.length <= 1024 && path.split('/').every((part) => segment.test(part));
}

/** The source's address in its parts: it names a mirror, or its index. `signed`: which index is meant when it names a mirror. @throws StreamTrouble */
export function placeOf(url: string, signed: boolean): StreamPlace {
  const parsed = URL.parse(url);
  if (!parsed || !/^https?:$/.test(parsed.protocol)) throw new StreamTrouble('its address is no http:// or https:// one');
  if (parsed.search !== '' || parsed.hash !== '' || parsed.username !== '')
    throw new StreamTrouble('its address has more than a host and a path');
  const path = parsed.pathname.replace(/\/+$/, '');
  if (!/\.s?json$/.test(path)) return { root: parsed.origin + path, index: `streams/v1/index.${signed ? 'sjson' : 'json'}` };
  const [, above = '', index = ''] = /^(.*?)\/(streams\/v1\/[^/]+|[^/]+)$/.exec(path) ?? [];
  if (!isStreamPath(index)) throw new StreamTrouble('its address names no index');
  return { root: parsed.origin + above, index };
}

/** The URL of a path below a root. @throws StreamTrouble when the path leads elsewhere. */
export function addressOf(root: string, path: string): string {
  if (!isStreamPath(path)) throw new StreamTrouble(`it names a file that may not be asked for: ${JSON.stringify(path.slice(0, 80))}`);
  return `${root}/${path.split('/').map(encodeURIComponent).join('/')}`;
}
