/** The API as the pages use it: the typed client on the page's own origin, and what the headers of a gathered answer say. */
import { routes } from '../src/contract/routes.ts';
import { ApiError, createClient, encodeParams, routePath } from '../src/http/client.ts';

/** The browser's own requests carry the session's cookie; there is nothing else to sign with. */
export const client = createClient({ url: globalThis.location?.origin ?? 'http://localhost' });

/** What `Muster-Cells` says: who was asked, and who did not answer. A single cell sends none. */
export interface CellsAsked {
  readonly asked: number;
  readonly answered: number;
  readonly absent: readonly string[];
}

/** Reads `asked=50 answered=49 absent=c17,c20`; undefined for anything else. */
export function readCellsAsked(header: string | null): CellsAsked | undefined {
  const match = /^asked=(\d+) answered=(\d+)(?: absent=(\S*))?(?: .*)?$/.exec(header?.trim() ?? '');
  if (!match) return undefined;
  return { asked: Number(match[1]), answered: Number(match[2]), absent: (match[3] ?? '').split(',').filter((name) => name !== '') };
}

/** The body of a gathered list, and how whole it is. */
export interface Gathered<T> {
  readonly body: T;
  readonly cells: CellsAsked | undefined;
  /** The `after` of the next page; undefined on the last. */
  readonly next: string | undefined;
}

/** Reads the answer of a route that may be answered in part, as `client.open` gives it. `T`: the route's reply. */
export async function gathered<T>(response: Response): Promise<Gathered<T>> {
  return {
    body: (await response.json()) as T,
    cells: readCellsAsked(response.headers.get('muster-cells')),
    next: response.headers.get('muster-next') ?? undefined,
  };
}

/** Where the live events are, from behind `after` on; without it from now on. */
export function streamUrl(after: string): string {
  const route = routes['Events.stream'];
  const query = encodeParams(route, after === '' ? {} : { after });
  query.set('op', route.op);
  return `${routePath(route, {})}?${query}`;
}

/** An error in words for a person. */
export function errorText(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.status === 0) return 'No answer. Is the program still running, and the network there?';
  const fields = Object.entries(error.fields ?? {}).map(([name, texts]) => `${name}: ${texts.join(' ')}`);
  return fields.length > 0 ? fields.join(' ') : error.message;
}

/** Does trying again make sense? Not after an answer that says what is wrong with the request. */
export function worthRetrying(failures: number, error: unknown): boolean {
  if (failures >= 2) return false;
  return !(error instanceof ApiError) || error.status === 0 || error.retryAfter !== undefined;
}
