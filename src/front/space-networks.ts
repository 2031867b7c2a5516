/** Spaces at a front: their names are global and in its replica, which networks are in them each cell knows of its own. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { Space } from '../contract/resources/spaces.ts';
import { routes } from '../contract/routes.ts';
import type { LooseCall, LooseHandler } from '../http/dispatch.ts';
import { askAll, drop, jsonOf, musterCells, partialRefused } from './answers.ts';
import { encodeCall } from './encode-call.ts';
import type { FrontContext } from './front-context.ts';

type SpaceBody = Static<typeof Space>;

const areSpaces = Compile(Type.Array(Space));

/** These spaces with the networks of all cells in them. Pure. */
export function joinedSpaces(known: readonly SpaceBody[], told: readonly (readonly SpaceBody[])[]): SpaceBody[] {
  const ids = new Set(known.map((space) => space.id));
  // The space of networks that are in none is only shown where there are some.
  const none = told.flat().find((space) => space.id === -1);
  const all = none === undefined || ids.has(-1) ? [...known] : [{ ...none, vlans: [], subnets: [] }, ...known];
  return all.map((space) => {
    const parts = told.flat().filter((one) => one.id === space.id);
    return { ...space, vlans: parts.flatMap((one) => one.vlans), subnets: parts.flatMap((one) => one.subnets) };
  });
}

/** Fills what the replica says of spaces. `read`: the handler of the replica, one space or all. */
export function withNetworks(context: FrontContext, read: LooseHandler): LooseHandler {
  return async (call: LooseCall) => {
    const known = (await read(call)) as SpaceBody | SpaceBody[];
    const encoded = await encodeCall(routes['Spaces.read'], { path: {}, fields: {}, files: [], body: undefined });
    const answers = await askAll(context, call, context.registry.list(), () => encoded);
    drop(answers.refused);
    call.reply.header('Muster-Cells', musterCells(answers));
    if (answers.absent.length > 0 && call.request.headers['muster-partial'] === 'refuse') {
      drop(answers.good);
      throw partialRefused(answers.absent);
    }
    const told = await Promise.all(
      answers.good.map(async (reply) => {
        const spaces = await jsonOf(reply).catch(() => undefined);
        if (!areSpaces.Check(spaces)) throw partialRefused([reply.cell]);
        return spaces;
      }),
    );
    return Array.isArray(known) ? joinedSpaces(known, told) : joinedSpaces([known], told).find((space) => space.id === known.id);
  };
}
