// A request that a route answers with success, in a world where what it needs has just been made.
import type { ErrorCode } from '../../src/contract/errors.ts';
import type { MachineState } from '../../src/contract/lifecycle.ts';
import type { Person, Request, Values, World } from './world.ts';

export interface Example extends Request {
  /** Who asks; the admin when left out. */
  readonly as?: Person;
  /** What it is always refused as: an operation that is there to say why it is not. */
  readonly refused?: ErrorCode;
  /** Parameters that nobody looks at, because another of this example stands for them. */
  readonly unread?: readonly string[];
}

/** Makes what the request needs. Called once for each walk of the route. */
export type Given = (world: World) => Example | Promise<Example>;
export type Examples = Readonly<Record<string, Given>>;

/** Nothing but these fields. */
export const just =
  (fields: Values = {}): Given =>
  () => ({ fields });

/** Of one machine in this state; it is the asking user's own where one is named. */
export const onMachine =
  (state: MachineState, fields: Values = {}, owner?: Person): Given =>
  async (world) => ({
    path: { system_id: await world.machine(state, owner ?? null) },
    fields,
    ...(owner === undefined ? {} : { as: owner }),
  });

/** The id of something that is made by POST to `path` now. */
export const made =
  (path: string, fields: (world: World) => Values | Promise<Values>, id = 'id') =>
  async (world: World): Promise<string> => {
    const body = (await world.must('admin', 'POST', path, await fields(world))) as Record<string, unknown>;
    return String(body[id]);
  };

/** Of one thing: its blank filled with the id of a fresh one. */
export const of =
  (blank: string, make: (world: World) => Promise<string>, fields: Values | ((world: World) => Values) = {}): Given =>
  async (world) => ({ path: { [blank]: await make(world) }, fields: typeof fields === 'function' ? fields(world) : fields });
