/**
 * Before the hub retires something that cells refer to, every cell is asked whether it is in use. A cell that could know and does not
 * answer is a reason to refuse. Which routes: those that can answer `in_use`.
 */
import { fail } from '../contract/errors.ts';
import type { Route } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import type { GlobalReader } from '../global/document.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { askAll, drop, jsonOf, namesOf, partialRefused } from './answers.ts';
import { encodeCall } from './encode-call.ts';
import type { Entry, FrontContext } from './front-context.ts';

/** A list of the cells that shows who uses a thing: its keys, or what to look for in each item. */
interface Question {
  readonly what: string;
  readonly route: Route;
  readonly fields: Readonly<Record<string, readonly string[]>>;
  readonly uses: (item: unknown) => boolean;
  readonly by: string;
}

const anyItem = () => true;

function machinesWith(what: string, key: string, value: string): Question {
  const fields = { [key]: [value], limit: ['1'], fields: ['system_id'] };
  return { what, route: routes['Machines.read'], fields, uses: anyItem, by: 'machines' };
}

/** What to ask the cells before this is retired; undefined when there is no such thing, which the hub will say. */
function questionOf(reader: GlobalReader, { id, route }: Entry, path: Readonly<Record<string, string>>): Question | undefined {
  const what = `${route.handler} ${path['name'] ?? path['username'] ?? path['id'] ?? ''}`;
  if (id === 'Zone.delete') return machinesWith(what, 'zone', path['name'] ?? '');
  if (id === 'User.delete') return machinesWith(what, 'owner', path['username'] ?? '');
  if (id === 'ResourcePool.delete') {
    const pool = reader.get('pool', path['id'] ?? '');
    return pool && machinesWith(`Resource pool ${pool.name}`, 'pool', pool.name);
  }
  if (id !== 'Space.delete') return undefined;
  const space = reader.get('space', path['id'] ?? '');
  const uses = (fabric: unknown) => ((fabric as { vlans?: { space?: unknown }[] }).vlans ?? []).some((vlan) => vlan.space === space?.name);
  return space && { what: `Space ${space.name}`, route: routes['Fabrics.read'], fields: {}, uses, by: 'VLANs' };
}

/** @throws Failure `in_use`, or `partial_refused` when a cell that could know is absent. */
export async function refuseWhileInUse(context: FrontContext, reader: GlobalReader, entry: Entry, call: LooseCall): Promise<void> {
  if (entry.route.method !== 'DELETE' || !entry.route.errors.includes('in_use')) return;
  // A user whose machines go to somebody else is not in their way.
  if (Object.hasOwn(call.fields, 'transfer_resources_to')) return;
  const question = questionOf(reader, entry, call.path);
  if (!question) return;
  const encoded = await encodeCall(question.route, { path: {}, fields: question.fields, files: [], body: undefined });
  const answers = await askAll(context, call, context.registry.list(), () => encoded);
  drop(answers.refused);
  // A cell that does not know the thing refuses the question: nothing of it is there.
  const using = await Promise.all(
    answers.good.map(async (reply) => {
      const items = await jsonOf(reply).catch(() => undefined);
      if (!Array.isArray(items)) throw partialRefused([reply.cell]);
      return items.some(question.uses) ? reply.cell : undefined;
    }),
  );
  const users = using.filter((cell) => cell !== undefined);
  if (users.length > 0) throw fail('in_use', { what: question.what, by: `${question.by} in ${namesOf(users)}` });
  if (answers.absent.length > 0) throw partialRefused(answers.absent);
}
