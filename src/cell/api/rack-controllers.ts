/** One of the cell's processes as a rack or region controller, and what the power drivers must be told. */
import { fail, invalid } from '../../contract/errors.ts';
import { powerTypes } from '../../contract/power-types.ts';
import type { Handlers } from '../../http/handler.ts';
import { record } from '../db/event-store.ts';
import { changeController, forgetController } from '../db/node-store.ts';
import { forgetProcess, imagesOf, wakeWorkers } from '../db/process-store.ts';
import { controllerBodyOf, controllerBy, type ControllerList } from './controllers.ts';
import { domainOf, placeOf } from './machine-create.ts';
import type { NetworkContext } from './network-context.ts';

interface ControllerCall {
  readonly path: { readonly system_id: string };
  readonly caller: { readonly username: string };
}

interface Changes {
  readonly description?: string;
  readonly zone?: string;
  readonly domain?: string;
  readonly power_type?: string;
  readonly power_parameters?: Readonly<Record<string, string>>;
}

const rack = 'RackController';
const region = 'RegionController';

/** Forget a process that is dead, and what was said of it. @throws Failure `not_found`, `wrong_state`. */
export async function forgetControllerOf(context: NetworkContext, { path, caller }: ControllerCall, what = rack): Promise<void> {
  const { process: one, facts } = await controllerBy(context, path.system_id, what);
  const isRunning = fail('wrong_state', {
    text: `Controller ${facts.hostname} is running: stop its process first. It would be there again a second later.`,
  });
  if (one.live) throw isRunning;
  await context.database.transaction(async (tx) => {
    if (!(await forgetProcess(tx, one.slot))) throw isRunning;
    await forgetController(tx, facts.system_id);
    await record(tx, { kind: 'controller_deleted', systemId: facts.system_id, username: caller.username, description: facts.hostname });
  });
}

type RackRoute =
  | 'RackControllers.describe_power_types'
  | 'RackControllers.import_boot_images'
  | `RackController.${'read' | 'update' | 'delete' | 'abort' | 'import_boot_images' | 'list_boot_images'}`
  | `RackController.${'override_failed_testing' | 'power_off' | 'power_on' | 'query_power_state' | 'test'}`
  | `RegionController.${'read' | 'update' | 'delete'}`;

export function rackControllerHandlers(context: NetworkContext): Handlers<RackRoute> {
  const { database, global, cellName } = context;

  const update = async ({ path, params, caller }: ControllerCall & { readonly params: Changes }, list: ControllerList, what: string) => {
    const { facts } = await controllerBy(context, path.system_id, what);
    if (params.power_type !== undefined && params.power_type !== '' && params.power_type !== 'manual')
      throw invalid({ power_type: ['A controller is switched by hand: only manual is accepted.'] });
    if (Object.keys(params.power_parameters ?? {}).length > 0)
      throw invalid({ power_parameters: ['A controller is switched by hand, which has no settings.'] });
    const [zone_id, domain_id] = [placeOf(global, 'zone', params.zone), await domainOf(database.db, params.domain)];
    const set = {
      ...(params.description === undefined ? {} : { description: params.description }),
      ...(zone_id === undefined ? {} : { zone_id }),
      ...(domain_id === undefined ? {} : { domain_id }),
    };
    const names = Object.keys(set).map((name) => name.replace(/_id$/, ''));
    if (names.length > 0)
      await database.transaction(async (tx) => {
        await changeController(tx, facts.system_id, set);
        await record(tx, {
          kind: 'controller_updated',
          systemId: facts.system_id,
          username: caller.username,
          description: names.join(', '),
        });
      });
    return controllerBodyOf(context, path.system_id, list);
  };
  /** What MAAS does to machines is not done to a process of a cell. */
  const refuse =
    (why: string) =>
    async ({ path }: ControllerCall): Promise<never> => {
      const { facts } = await controllerBy(context, path.system_id);
      throw fail('wrong_state', { text: `Controller ${facts.hostname} is a process of cell ${cellName}: ${why}` });
    };
  const unswitched = 'it has no power driver here. Switch its host by other means.';

  return {
    'RackControllers.describe_power_types': () =>
      powerTypes.map((type) => ({
        ...type,
        missing_packages: [...type.missing_packages],
        fields: type.fields.map((field) => ({
          ...field,
          choices: field.choices.map(([value, label]): [string, string] => [value, label]),
          default: typeof field.default === 'string' ? field.default : [...field.default],
        })),
      })),
    'RackControllers.import_boot_images': async () => {
      await wakeWorkers(database.db);
      return null;
    },
    'RackController.read': ({ path }) => controllerBodyOf(context, path.system_id, 'rackcontrollers'),
    'RegionController.read': ({ path }) => controllerBodyOf(context, path.system_id, 'regioncontrollers'),
    'RackController.update': (call) => update(call, 'rackcontrollers', rack),
    'RegionController.update': (call) => update(call, 'regioncontrollers', region),
    'RackController.delete': (call) => forgetControllerOf(context, call),
    'RegionController.delete': (call) => forgetControllerOf(context, call, region),
    'RackController.import_boot_images': async ({ path }) => {
      await controllerBy(context, path.system_id);
      await wakeWorkers(database.db);
      return null;
    },
    'RackController.list_boot_images': async ({ path }) => {
      const { process: one } = await controllerBy(context, path.system_id);
      const here = await imagesOf(database.db, one.slot);
      const catalogue = global.list('boot_resource').map((resource) => {
        const newest = Object.keys(resource.sets).toSorted().at(-1) ?? '';
        return { resource, isHere: Object.values(resource.sets[newest]?.files ?? {}).every((file) => here.has(file.sha256)) };
      });
      return {
        connected: one.live,
        status: catalogue.every(({ isHere }) => isHere) ? ('synced' as const) : ('out-of-sync' as const),
        images: catalogue
          .filter(({ isHere }) => isHere)
          .map(({ resource: { name, architecture, subarches } }) => ({
            name,
            architecture: architecture.split('/')[0] ?? architecture,
            subarches: (subarches ?? architecture.split('/')[1] ?? '').split(',').filter((word) => word !== ''),
          })),
      };
    },
    'RackController.query_power_state': async ({ path }) => {
      const { process: one } = await controllerBy(context, path.system_id);
      return { state: one.live ? ('on' as const) : ('unknown' as const) };
    },
    'RackController.abort': refuse('nothing is being done to it that could be aborted.'),
    'RackController.override_failed_testing': refuse('it is not tested, so there is no failed test.'),
    'RackController.test': refuse('it is not tested.'),
    'RackController.power_on': refuse(unswitched),
    'RackController.power_off': refuse(unswitched),
  };
}
