/**
 * Before the hub retires something that cells must let go of first, every cell is asked whether it is in use. A cell that could know and does
 * not answer is a reason to refuse; one that an operator has marked out is not asked: what it still refers to is a finding when it is back.
 * Which routes: those that can answer `in_use`. What a retired user leaves goes to the heir first, in every cell.
 */
import { fail } from '../contract/errors.ts';
import type { Route } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import { findHeir } from '../global/api/users.ts';
import type { GlobalReader } from '../global/document.ts';
import { routePath } from '../http/client.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { askAll, drop, jsonOf, namesOf, partialRefused, type Answers } from './answers.ts';
import { encodeCall, type Carried } from './encode-call.ts';
import type { Entry, FrontContext } from './front-context.ts';
import type { HubLine } from './hub-line.ts';

export interface RetireDoor {
  readonly reader: GlobalReader;
  readonly line: Pick<HubLine, 'send'>;
}

/** What cells are asked, and how an answer says that the thing is used; undefined: it is no answer. */
interface Question {
  readonly what: string;
  readonly route: Route;
  readonly given: Pick<Carried, 'path' | 'fields'>;
  readonly by: string;
  readonly uses: (answer: unknown) => boolean | undefined;
}

const transferred = 'transfer_resources_to';

function carried(given: Pick<Carried, 'path' | 'fields'>): Carried {
  return { ...given, files: [], body: undefined };
}

/** What to ask the cells before this is retired; undefined when there is no such thing, which the hub will say. */
function questionOf(reader: GlobalReader, { id }: Entry, path: Readonly<Record<string, string>>): Question | undefined {
  if (id === 'User.delete') {
    const user = reader.named('user', path['username'] ?? '');
    const counts = (answer: unknown) => (typeof answer === 'object' && answer !== null ? Object.values(answer) : []);
    return (
      user && {
        what: `User ${user.username}`,
        route: routes['User.resources'],
        given: { path: { username: user.username }, fields: {} },
        by: 'machines, devices, addresses or ranges of them',
        uses: (answer) =>
          counts(answer).every((count) => typeof count === 'number') ? counts(answer).some((count) => count > 0) : undefined,
      }
    );
  }
  // The default pool stays whether it is used or not: the hub says so.
  const pool = id === 'ResourcePool.delete' && path['id'] !== '0' ? reader.get('pool', path['id'] ?? '') : undefined;
  return (
    pool && {
      what: `Resource pool ${pool.name}`,
      route: routes['Machines.read'],
      given: { path: {}, fields: { pool: [pool.name], limit: ['1'], fields: ['system_id'] } },
      by: 'machines',
      uses: (answer) => (Array.isArray(answer) ? answer.length > 0 : undefined),
    }
  );
}

/** @throws Failure `in_use`, or `partial_refused` when a cell that could know is absent. */
async function refuseWhileInUse(context: FrontContext, call: LooseCall, { what, route, given, by, uses }: Question): Promise<void> {
  const encoded = await encodeCall(route, carried(given));
  const answers = await askAll(context, call, context.registry.list(), () => encoded);
  drop(answers.refused);
  // A cell that does not know the thing has nothing of it. Any other refusal says nothing: the question was not understood, or not allowed.
  const unsaid = answers.refused.filter((reply) => reply.status !== 404);
  if (unsaid.length > 0) {
    drop(answers.good);
    throw partialRefused(unsaid.map((reply) => reply.cell));
  }
  const using = await Promise.all(
    answers.good.map(async (reply) => {
      const used = uses(await jsonOf(reply).catch(() => undefined));
      if (used === undefined) throw partialRefused([reply.cell]);
      return used ? reply.cell : undefined;
    }),
  );
  const users = using.filter((cell) => cell !== undefined);
  if (users.length > 0) throw fail('in_use', { what, by: `${by} in ${namesOf(users)}` });
  if (answers.absent.length > 0) throw partialRefused(answers.absent);
}

/** All cells have answered, and none refused. @throws Failure `partial_refused`. */
function refuseUnlessAll(answers: Answers): void {
  drop([...answers.good, ...answers.refused]);
  const missing = [...answers.absent, ...answers.refused.map((reply) => reply.cell)];
  if (missing.length > 0) throw partialRefused(missing);
}

/**
 * Every cell gives what a user has to the heir. Nothing is begun while the hub or a cell is away. A front that dies in the middle leaves a user
 * who is still there, with a part of what they had: the same call again does the rest.
 */
async function handOver(context: FrontContext, { line }: RetireDoor, call: LooseCall, from: string, to: string): Promise<void> {
  const path = routePath(routes['Version.read'], {});
  const hub = await line.send({ method: 'GET', path, headers: { 'x-request-id': call.request.id }, body: undefined }, call.request.signal);
  hub.body?.destroy();
  if (hub.status !== 200) throw fail('hub_absent');
  const cells = context.registry.list();
  const version = await encodeCall(routes['Version.read'], carried({ path: {}, fields: {} }));
  refuseUnlessAll(await askAll(context, call, cells, () => version));
  const transfer = await encodeCall(routes['User.transfer_resources'], carried({ path: { username: from }, fields: { to: [to] } }));
  refuseUnlessAll(await askAll(context, call, cells, () => transfer, { ms: context.callMs }));
}

/** Do what must be done before the hub gets this call. @returns the call as the hub gets it. @throws what refuses it. */
export async function beforeHub(context: FrontContext, door: RetireDoor, entry: Entry, call: LooseCall): Promise<LooseCall> {
  if (entry.route.method !== 'DELETE' || !entry.route.errors.includes('in_use')) return call;
  const question = questionOf(door.reader, entry, call.path);
  if (!question) return call;
  const heir = call.fields[transferred]?.at(-1) ?? '';
  const user = heir === '' ? undefined : door.reader.named('user', call.path['username'] ?? '');
  if (!user) {
    await refuseWhileInUse(context, call, question);
    return call;
  }
  // The hub refuses that; nothing must have been moved by then.
  if (call.caller.kind === 'user' && call.caller.userId === user.id) return call;
  await handOver(context, door, call, user.username, findHeir(door.reader, user, heir).username);
  // Somebody may have been given something meanwhile.
  await refuseWhileInUse(context, call, question);
  const { [transferred]: _, ...fields } = call.fields;
  return { ...call, fields };
}
