/** Scripts to run and what came of them: `maas-scripts` and `op=signal` (maas-api.md §5). */
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { UploadedFile } from '../../http/form.ts';
import { bytes, nothing } from '../../http/reply.ts';
import { record } from '../db/event-store.ts';
import { openFinding, resolveFindings } from '../db/finding-store.ts';
import { saveHardware, saveLshw } from '../db/hardware-store.ts';
import { saveInventory } from '../db/inventory-store.ts';
import { machineFacts } from '../db/metadata-store.ts';
import { resultName, scriptEnded, scriptStarted, scriptStates, skipScripts, unfinishedScripts } from '../db/script-result-store.ts';
import { inventoryScript, lshwScript } from '../../global/built-in-scripts.ts';
import { checkVersion } from './meta-data.ts';
import type { MetadataContext } from './metadata-context.ts';
import type { ReadInventory } from './read-inventory.ts';
import { layOut } from './lay-out.ts';
import { layoutNamed } from '../storage/layouts.ts';
import { scriptArchive, type ScriptToRun } from './script-archive.ts';

/** The largest output that is kept of one script, in bytes. */
const largestOutput = 1024 * 1024;
const folders = ['commissioning', 'deployment', 'testing', 'release', 'deployment'] as const;

/** The largest document of lshw that is taken, in bytes; one of that size and more may have been cut off at {@link largestOutput}. */
const largestLshw = 1_000_000;

/** Door: what is wrong with a hardware document; undefined when nothing is. Bytes from a machine: judged where they can hold up nobody. */
export interface HardwareJudge {
  refuseXml(lshw: string): Promise<string | undefined>;
}

async function refuseLshw(judge: HardwareJudge, printed: Buffer): Promise<string | undefined> {
  if (printed.byteLength > largestLshw) return `it is larger than ${largestLshw} bytes`;
  try {
    return await judge.refuseXml(new TextDecoder('utf-8', { fatal: true }).decode(printed));
  } catch (error) {
    if (error instanceof TypeError) return 'it is not UTF-8';
    throw error;
  }
}

export function scriptHandlers(
  context: MetadataContext,
  readInventory: ReadInventory,
  hardware: HardwareJudge,
  defaultLayout: () => string,
): Handlers<'MaasScripts.read' | 'Metadata.signal' | 'Metadata.netboot_off' | 'Metadata.netboot_on'> {
  const { database, door } = context;
  return {
    'MaasScripts.read': async ({ path, caller }) => {
      checkVersion(path.version);
      const machine = await machineFacts(database.db, caller.systemId);
      if (caller.credential !== 'boot' || !machine || machine.operation_id === null) return nothing();
      const planned = await unfinishedScripts(database.db, machine.operation_id);
      // Retired since the operation began: nobody can run it any more, and that is no fault of the machine.
      const gone = planned.filter((row) => door.script(row.name) === undefined);
      if (gone.length > 0) await database.transaction((tx) => skipScripts(tx, caller.systemId, gone));
      const pending = planned.filter((row) => !gone.includes(row));
      const scripts = pending.flatMap((row): ScriptToRun[] => {
        const script = door.script(row.name);
        if (!script) return [];
        return [{ resultId: row.id, name: row.name, folder: folders[row.type] ?? 'commissioning', ...script, started: row.status === 1 }];
      });
      return scripts.length === 0 ? nothing() : bytes(scriptArchive(scripts), 'application/x-tar');
    },

    'Metadata.signal': async ({ path, params, files, caller }) => {
      checkVersion(path.version);
      if (caller.credential !== 'boot') throw fail('forbidden');
      const { systemId } = caller;
      const id = params.script_result_id;
      if (id === undefined) {
        if (params.status === 'FAILED')
          await record(database.db, { kind: 'script_failed', systemId, description: params.error ?? 'the agent failed' });
        return 'OK';
      }
      // As MAAS's runner does: WORKING with an exit status is a result too, WORKING without is the start.
      if (params.exit_status === undefined && !['OK', 'FAILED', 'TIMEDOUT'].includes(params.status)) {
        await scriptStarted(database.db, systemId, id);
        return 'OK';
      }
      const exit = params.exit_status ?? (params.status === 'OK' ? 0 : 1);
      const status = params.status === 'TIMEDOUT' ? scriptStates.timed_out : exit === 0 ? scriptStates.passed : scriptStates.failed;
      const report = {
        id,
        exitStatus: exit,
        runtime: params.runtime === undefined ? null : String(params.runtime),
        ...outputs(files, params.name),
      };
      // Read before the transaction: a thread of its own does it, and it may take a second.
      const printed = report.stdout.byteLength > 0 ? report.stdout : report.output;
      const isLshw = (await resultName(database.db, systemId, id)) === lshwScript && status === scriptStates.passed;
      // An agent from before there was lshw prints nothing.
      const unreadable = isLshw && printed.byteLength > 0 ? await refuseLshw(hardware, printed) : undefined;
      door.killPoint('signal:before');
      await database.transaction(async (tx) => {
        const name = await scriptEnded(tx, systemId, { ...report, status });
        if (name === undefined) throw fail('not_found', { what: 'script result' });
        if (unreadable !== undefined)
          await openFinding(tx, {
            kind: 'unreadable_hardware',
            subject: systemId,
            systemId,
            data: { system_id: systemId, reason: unreadable },
          });
        else if (isLshw && printed.byteLength > 0) {
          await saveLshw(tx, systemId, printed);
          await resolveFindings(tx, 'unreadable_hardware', [systemId]);
        }
        let problem = status === scriptStates.passed ? undefined : `${name} ended with ${exit}${params.error ? `: ${params.error}` : ''}`;
        if (name === inventoryScript && status === scriptStates.passed) {
          const reading = readInventory(printed);
          if ('found' in reading) {
            await saveInventory(tx, systemId, reading.found);
            await layOut(tx, systemId, layoutNamed(defaultLayout()));
            if (reading.found.hardware) await saveHardware(tx, systemId, reading.found.hardware);
          } else {
            problem = reading.problem;
            await scriptEnded(tx, systemId, { ...report, status: scriptStates.failed, stderr: Buffer.from(reading.problem) });
          }
        }
        await record(tx, {
          kind: problem === undefined ? 'script_result' : 'script_failed',
          systemId,
          description: problem ?? `${name} passed`,
          data: { script: name, exit_status: exit },
        });
        door.killPoint('signal:after-effect');
      });
      door.killPoint('signal:before-reply');
      return 'OK';
    },

    'Metadata.netboot_off': () => 'OK',
    'Metadata.netboot_on': () => 'OK',
  };
}

/** Files come under the script's name with a suffix: NAME is everything, NAME.out, NAME.err and NAME.yaml its parts. */
function outputs(
  files: readonly UploadedFile[],
  name: string | undefined,
): { output: Buffer; stdout: Buffer; stderr: Buffer; result: Buffer } {
  const find = (suffix: string): Buffer => {
    const file = files.find((one) =>
      name === undefined ? /(\.(out|err|yaml))?$/.exec(one.name)?.[0] === suffix : one.name === `${name}${suffix}`,
    );
    return file ? file.data.subarray(0, largestOutput) : Buffer.alloc(0);
  };
  return { output: find(''), stdout: find('.out'), stderr: find('.err'), result: find('.yaml') };
}
