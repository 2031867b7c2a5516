/** `index:1.0` of a simplestream: which documents list its products. Pure. */
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { isStreamPath } from './stream-address.ts';
import { StreamTrouble } from './stream-trouble.ts';

const Index = Compile(
  Type.Object({
    format: Type.Literal('index:1.0'),
    index: Type.Record(Type.String(), Type.Object({ path: Type.String(), format: Type.Optional(Type.String()) })),
  }),
);
const mostDocuments = 64;

/** JSON, whatever is in it. @throws StreamTrouble */
export function jsonOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new StreamTrouble(`${what} is not JSON`);
  }
}

/** The paths of the documents that list products, each once. @throws StreamTrouble */
export function productPathsIn(text: string): string[] {
  const value = jsonOf(text, 'its index');
  if (!Index.Check(value)) throw new StreamTrouble('its index is no index:1.0');
  const entries = Object.values(value.index);
  const paths = entries.filter(({ format = 'products:1.0' }) => format === 'products:1.0').map(({ path }) => path);
  if (paths.length > mostDocuments) throw new StreamTrouble(`its index names more than ${mostDocuments} documents`);
  const bad = paths.find((path) => !isStreamPath(path));
  if (bad !== undefined) throw new StreamTrouble(`its index names a file that may not be asked for: ${JSON.stringify(bad.slice(0, 80))}`);
  return [...new Set(paths)];
}
