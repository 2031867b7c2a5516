/** What scripts found out about machines: result sets of one machine, and the older list over all. */
import { fail } from '../../contract/errors.ts';
import { hardwareTypes, scriptStatuses, scriptTypes } from '../../contract/resources/scripts.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { Handlers } from '../../http/handler.ts';
import { record, recordAll } from '../db/event-store.ts';
import {
  deleteResults,
  machineExists,
  newestSet,
  readOutputs,
  readResults,
  suppressResults,
  type OutputFilter,
  type OutputRow,
  type ResultFilter,
  type ScriptResultRow,
} from '../db/result-read.ts';
import { jsonList } from './json-list.ts';
import { maasTime } from '../../contract/maas-time.ts';
import { uri } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { idOfText } from './network-view.ts';
import { resultDownload } from './result-download.ts';
import { sumUp } from './script-status.ts';

const types = [...Object.entries(scriptTypes), ['installation', { number: 1, name: 'Installation script' }] as const];
const statusNames = new Map<number, string>(Object.values(scriptStatuses).map(({ number, name }) => [number, name]));

/** Rows of the older list that are read at once; each may hold a script's whole output. */
const outputsAtOnce = 50;

function typeOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const known = types.find(([name, rule]) => name === text || String(rule.number) === text);
  if (!known) throw fail('bad_request', { reason: `Unknown script type: ${text}.` });
  return known[1].number;
}

function hardwareTypeOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const known = Object.entries(hardwareTypes).find(([name, rule]) => name === text || String(rule.number) === text);
  if (!known) throw fail('bad_request', { reason: `Unknown hardware type: ${text}.` });
  return known[1].number;
}

/** Names of scripts from names and tags. */
function namesOf(global: GlobalReader, filters: string | undefined): string[] | undefined {
  const words = (filters ?? '').split(',').map((word) => word.trim());
  const wanted = words.filter((word) => word !== '');
  if (wanted.length === 0) return undefined;
  const tagged = global.list('script').filter((script) => script.tags.some((tag) => wanted.includes(tag)));
  return [...new Set([...wanted, ...tagged.map((script) => script.name)])];
}

function timeOrNull(at: Date | null): string | null {
  return at === null ? null : maasTime(at);
}

function secondsOrNull(at: Date | null): number | null {
  return at === null ? null : at.getTime() / 1000;
}

function runtime(started: Date | null, ended: Date | null): string {
  if (started === null || ended === null) return '';
  const seconds = Math.max(0, Math.round((ended.getTime() - started.getTime()) / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function resultBody(row: ScriptResultRow, global: GlobalReader, withOutput: boolean) {
  const text = (bytes: Buffer): string => bytes.toString('base64');
  const output = { output: text(row.output), stdout: text(row.stdout), stderr: text(row.stderr), result: text(row.result) };
  const script = global.named('script', row.name)?.id ?? null;
  return {
    id: row.id,
    name: row.name,
    created: maasTime(row.created),
    updated: maasTime(row.ended ?? row.started ?? row.created),
    status: row.status,
    status_name: statusNames.get(row.status) ?? 'Unknown',
    exit_status: row.exit_status,
    started: timeOrNull(row.started),
    ended: timeOrNull(row.ended),
    runtime: row.runtime ?? runtime(row.started, row.ended),
    starttime: secondsOrNull(row.started),
    endtime: secondsOrNull(row.ended),
    estimated_runtime: '',
    parameters: {},
    script_id: script,
    script_revision_id: script,
    suppressed: row.suppressed,
    ...(withOutput ? output : {}),
  };
}

/** The earliest, or latest, of those that are known. */
function edge(times: readonly (Date | null)[], of: (...values: number[]) => number): Date | null {
  const known = times.flatMap((time) => (time === null ? [] : [time.getTime()]));
  return known.length === 0 ? null : new Date(of(...known));
}

function setBody(rows: readonly [ScriptResultRow, ...ScriptResultRow[]], global: GlobalReader, withOutput: boolean) {
  const [first] = rows;
  const status = sumUp(rows.flatMap((row) => (row.suppressed ? [] : row.status)));
  const started = edge(
    rows.map((row) => row.started),
    Math.min,
  );
  const ended = rows.some((row) => row.ended === null)
    ? null
    : edge(
        rows.map((row) => row.ended),
        Math.max,
      );
  return {
    id: first.set_id,
    system_id: first.system_id,
    type: first.type,
    type_name: types.find(([, rule]) => rule.number === first.type)?.[1].name ?? 'Unknown',
    last_ping: timeOrNull(
      edge(
        rows.flatMap((row) => [row.started, row.ended]),
        Math.max,
      ),
    ),
    status: status.number,
    status_name: status.name,
    started: timeOrNull(started),
    ended: timeOrNull(ended),
    runtime: runtime(started, ended),
    results: rows.map((row) => resultBody(row, global, withOutput)),
    resource_uri: uri('nodes', first.system_id, 'results', first.set_id),
  };
}

/** Every output that a script has; the combined one where it is all there is. */
function outputBodies(row: OutputRow) {
  const outputs: [string, Buffer][] = [
    [row.name, row.stdout.length > 0 ? row.stdout : row.output],
    ...(row.stderr.length > 0 ? [[`${row.name}.err`, row.stderr] as [string, Buffer]] : []),
    ...(row.result.length > 0 ? [[`${row.name}.yaml`, row.result] as [string, Buffer]] : []),
  ];
  return outputs.map(([name, data]) => ({
    created: maasTime(row.created),
    updated: maasTime(row.ended ?? row.created),
    id: row.id,
    name,
    node: { system_id: row.system_id },
    result_type: row.type,
    script_result: row.exit_status ?? 0,
    data: data.toString('base64'),
    resource_uri: uri('commissioning-results'),
  }));
}

type ResultRoute =
  | 'NodeScriptResults.read'
  | `NodeScriptResult.${'read' | 'update' | 'delete' | 'download'}`
  | 'NodeResults.read'
  | 'InstallationResults.read';

interface SetCall {
  readonly path: { readonly system_id: string; readonly id: string };
  readonly params: { readonly hardware_type?: string; readonly filters?: string; readonly include_output?: boolean };
}

export function resultHandlers(context: NetworkContext): Handlers<ResultRoute> {
  const { global, database } = context;
  const { db } = database;
  const hardwareOf = (name: string): number => global.named('script', name)?.hardware_type ?? hardwareTypes.node.number;
  /** Rows of sets of one machine, one list a set. */
  const setsOf = async (systemId: string, filter: ResultFilter, hardware: number | undefined) => {
    const rows = await readResults(db, systemId, filter);
    const wanted = rows.filter((row) => hardware === undefined || hardwareOf(row.name) === hardware);
    return [...Map.groupBy(wanted, (row) => row.set_id).values()];
  };
  /** The rows of the set that a path names, as far as parameters choose them. @throws Failure `not_found`, `bad_request`. */
  const chosen = async ({ path, params }: SetCall, withOutput: boolean): Promise<[ScriptResultRow, ...ScriptResultRow[]]> => {
    const named = /^current-(commissioning|testing|installation)$/.exec(path.id)?.[1];
    const type = typeOf(named);
    const hardware = hardwareTypeOf(params.hardware_type);
    const setId = type === undefined ? idOfText(path.id) : await newestSet(db, path.system_id, type);
    const names = namesOf(global, params.filters);
    const filter = { withOutput, ...(names ? { names } : {}) };
    const [rows] = setId === undefined || Number.isNaN(setId) ? [] : await setsOf(path.system_id, { ...filter, setId }, hardware);
    const [first, ...rest] = rows ?? [];
    if (!first) throw fail('not_found', { what: 'ScriptSet' });
    return [first, ...rest];
  };
  async function* pages(filter: OutputFilter): AsyncGenerator<readonly unknown[]> {
    for (let after = 0; ;) {
      const rows = await readOutputs(db, filter, after, outputsAtOnce);
      yield rows.flatMap(outputBodies);
      if (rows.length < outputsAtOnce) return;
      after = rows.at(-1)?.id ?? Number.MAX_SAFE_INTEGER;
    }
  }
  const older = ({
    params,
  }: {
    readonly params: { readonly system_id?: string[]; readonly name?: string[]; readonly result_type?: number };
  }) =>
    jsonList(
      pages({
        ...(params.system_id === undefined || params.system_id.length === 0 ? {} : { systemIds: params.system_id }),
        ...(params.name === undefined || params.name.length === 0 ? {} : { names: params.name }),
        ...(params.result_type === undefined ? {} : { type: params.result_type }),
      }),
    );
  return {
    'NodeScriptResults.read': async ({ path, params }) => {
      const [type, hardware, names] = [typeOf(params.type), hardwareTypeOf(params.hardware_type), namesOf(global, params.filters)];
      const withOutput = params.include_output ?? false;
      const filter = { withOutput, ...(type === undefined ? {} : { type }), ...(names ? { names } : {}) };
      const found = await setsOf(path.system_id, filter, hardware);
      const shown = found.flatMap(([first, ...rest]) => (first ? [setBody([first, ...rest], global, withOutput)] : []));
      if (shown.length === 0 && !(await machineExists(db, path.system_id))) throw fail('not_found', { what: 'Machine' });
      return shown;
    },
    'NodeScriptResult.read': async (call) => {
      const withOutput = call.params.include_output ?? false;
      return setBody(await chosen(call, withOutput), global, withOutput);
    },
    'NodeScriptResult.update': async (call) => {
      const { suppressed, include_output: withOutput = false } = call.params;
      const rows = await chosen(call, withOutput);
      if (suppressed === undefined) return setBody(rows, global, withOutput);
      await database.transaction(async (tx) => {
        const changed = await suppressResults(
          tx,
          rows.map((row) => row.id),
          suppressed,
        );
        await recordAll(
          tx,
          changed.map((name) => ({
            kind: 'script_result' as const,
            systemId: call.path.system_id,
            username: call.caller.username,
            description: `The result of ${name} ${suppressed ? 'does not count' : 'counts again'}`,
          })),
        );
      });
      return setBody(await chosen(call, withOutput), global, withOutput);
    },
    'NodeScriptResult.delete': async (call) => {
      const [first] = await chosen({ path: call.path, params: {} }, false);
      await database.transaction(async (tx) => {
        const outcome = await deleteResults(tx, first.system_id, first.operation_id, first.type);
        if (outcome === 'live')
          throw fail('wrong_state', { text: `Cannot delete the results of operation ${first.operation_id}: it is still going on.` });
        await record(tx, {
          kind: 'script_result',
          systemId: first.system_id,
          username: call.caller.username,
          description: `The results of operation ${first.operation_id} were deleted`,
        });
      });
    },
    'NodeScriptResult.download': async (call) => {
      const { output = 'combined', filetype = 'txt' } = call.params;
      return resultDownload(await chosen(call, true), output, filetype);
    },
    'NodeResults.read': older,
    'InstallationResults.read': older,
  };
}
