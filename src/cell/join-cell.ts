/**
 * A cell joins a hub. One that stood alone keeps its number, and hands over what global objects it has: by the hand of an admin of the hub,
 * over the connection that is pinned to the hub's key, because passwords' verifiers are among them. Every step may be repeated: a crash
 * anywhere is mended by the same command again.
 */
import type { Logger } from 'pino';
import { staysBehind, toHandOver, wouldBeLost } from '../global/become-replica.ts';
import type { HandOverItem } from '../global/hand-over.ts';
import { askToJoin, fingerprintIn, type JoinRequest } from '../global/join.ts';
import { writeMembership, type Membership } from '../global/membership.ts';
import { pinnedFetch, wrongKeyIn } from '../global/pinned-fetch.ts';
import { createClient, type Client } from '../http/client.ts';
import type { LetGo } from './db/hand-over-store.ts';
import { openStoppedCell, type StoppedCell } from './stopped-cell.ts';

/** What a hand-over will do, before it is done. */
export interface HandOverPlan {
  readonly items: readonly HandOverItem[];
  /** Kind → how many stay behind, because the hub has its own. */
  readonly behind: ReadonlyMap<string, number>;
}

export interface JoinCellRequest extends Omit<JoinRequest, 'role' | 'number'> {
  readonly databaseUrl?: string;
  readonly adopt?: {
    /** API key of an admin of the hub. */
    readonly key: string;
    /** Shown what would be done; false: leave everything as it is. */
    confirm(plan: HandOverPlan): Promise<boolean> | boolean;
  };
  /** Tests end the command here: `joined`, `imported`, `adopted`. */
  readonly killPoint?: (name: string) => void;
}

export interface JoinedCell {
  readonly membership: Membership;
  /** Rows that named something which was gone before. */
  readonly letGo: LetGo | undefined;
}

/** It has things of its own that plain joining would lose. */
export class StandsAlone extends Error {
  override readonly name = 'StandsAlone';

  constructor(lost: readonly string[]) {
    const shown = lost.slice(0, 8).join(', ') + (lost.length > 8 ? ` and ${lost.length - 8} more` : '');
    super(
      `This cell stood alone and has of its own: ${shown}. Joining would lose them. With --adopt they are handed over to the hub; --adopt --dry-run shows how. Nothing was changed.`,
    );
  }
}

/** @returns undefined when the plan was not confirmed. @throws ApiError, WrongKey, StandsAlone, and what `openStoppedCell` throws. */
export async function joinCell(request: JoinCellRequest, log: Logger): Promise<JoinedCell | undefined> {
  const { adopt, killPoint = () => undefined } = request;
  await using stack = new AsyncDisposableStack();
  const cell = await openStoppedCell(request.folder, request.databaseUrl, log);
  if (cell) stack.use(cell);
  const lost = wouldBeLost(cell?.own ?? []);
  if (!adopt && lost.length > 0) throw new StandsAlone(lost);
  if (adopt && !cell) throw new Error(`There is no cell in ${request.folder} that could hand anything over. Join without --adopt.`);
  const handing = adopt && cell?.own ? await prepare(stack, request, cell, adopt.key) : undefined;
  if (handing && adopt && !(await adopt.confirm(await handing.plan()))) return undefined;
  const identity = cell ? { number: cell.number, name: request.name ?? cell.name } : {};
  const membership = await askToJoin({ ...request, ...identity, role: 'cell' });
  killPoint('joined');
  const letGo = await handing?.carryOut(membership, killPoint);
  killPoint('adopted');
  await writeMembership(request.folder, membership);
  return { membership, letGo };
}

async function prepare(stack: AsyncDisposableStack, request: JoinCellRequest, cell: StoppedCell, key: string) {
  const pinned = stack.use(pinnedFetch(fingerprintIn(request.fingerprint)));
  const client: Client = createClient({ url: request.url, key, fetch: (url, init) => pinned.fetch(url, init) });
  const documents = await toHandOver(cell.global, cell.own ?? []);
  const body = JSON.stringify({ cell: cell.name, documents });
  const asked = <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((error: unknown) => {
      throw wrongKeyIn(error) ?? error;
    });
  return {
    plan: async (): Promise<HandOverPlan> => ({
      items: await asked(client.call('GlobalObjects.plan', {}, {}, { body })),
      behind: staysBehind(cell.own ?? []),
    }),
    carryOut: async ({ hubKey, rotations = [] }: Membership, killPoint: (name: string) => void): Promise<LetGo> => {
      const done = await asked(client.call('GlobalObjects.import', {}, {}, { body }));
      killPoint('imported');
      return cell.adopt({ hubKey, rotations }, done.items, done.documents);
    },
  };
}
