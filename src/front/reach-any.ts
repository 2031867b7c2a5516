/** `any`: every program says the same. What the front cannot say itself, the first cell that answers says. */
import { fail } from '../contract/errors.ts';
import { namesOf } from './answers.ts';
import { Absent } from './cell-line.ts';
import { passed } from './cell-reply.ts';
import { encodeCall } from './encode-call.ts';
import { ask, type Reach } from './front-context.ts';

export const reachAny: Reach = async (context, { route }, call) => {
  const encoded = await encodeCall(route, call);
  const cells = context.registry.list().filter((cell) => !cell.out);
  for (const cell of cells) {
    try {
      const reply = await ask(context, call, cell, encoded, { ms: context.gatherMs });
      if (reply.status < 500) return passed(reply);
      reply.body.destroy();
    } catch (error) {
      if (!(error instanceof Absent)) throw error;
    }
  }
  throw fail('cell_absent', { cell: namesOf(cells) });
};
