/** The status webhook: where cloud-init tells what it does (66 reports a boot, netboot.md §4). Kept as events; most are debug. */
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { nothing } from '../../http/reply.ts';
import { recordAll, type CellEvent } from '../db/event-store.ts';
import type { MetadataContext } from './metadata-context.ts';

const Report = Compile(
  Type.Object({
    event_type: Type.Union([Type.Literal('start'), Type.Literal('progress'), Type.Literal('finish')]),
    origin: Type.String({ maxLength: 256 }),
    name: Type.String({ maxLength: 1024 }),
    description: Type.String({ maxLength: 65_536 }),
    result: Type.Optional(Type.String({ maxLength: 64 })),
    timestamp: Type.Optional(Type.Number()),
  }),
);

/** Chatty sources are inserted in small batches: at most this many, at most this old (milliseconds). */
const batchSize = 32;
const batchAge = 250;

export interface StatusReports extends AsyncDisposable {
  readonly handlers: Handlers<'MachineStatus.report'>;
}

/** A 204 is sent when the report is in the database: nothing that was acknowledged is lost. */
export function statusReports(context: Pick<MetadataContext, 'database'>): StatusReports {
  let waiting: { event: CellEvent; done: () => void; failed: (error: unknown) => void }[] = [];
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    try {
      await context.database.transaction((tx) =>
        recordAll(
          tx,
          batch.map((one) => one.event),
        ),
      );
      for (const one of batch) one.done();
    } catch (error) {
      for (const one of batch) one.failed(error);
    }
  }

  function keep(event: CellEvent): Promise<void> {
    return new Promise((done, failed) => {
      waiting.push({ event, done, failed });
      if (waiting.length >= batchSize) void flush();
      else timer ??= setTimeout(() => void flush(), batchAge);
    });
  }

  return {
    handlers: {
      'MachineStatus.report': async ({ path, body, caller }) => {
        if (caller.systemId !== path.system_id) throw fail('forbidden');
        let report: unknown;
        try {
          // PostgreSQL stores neither NUL nor half a surrogate pair, and one such report would fail the whole batch.
          report = JSON.parse((body ?? Buffer.alloc(0)).toString('utf8'), (_, value: unknown) =>
            typeof value === 'string' ? value.replaceAll('\0', '\ufffd').toWellFormed() : value,
          );
        } catch {
          throw fail('bad_request', { reason: 'The body is not JSON.' });
        }
        if (!Report.Check(report)) throw fail('bad_request', { reason: 'The report lacks event_type, origin, name or description.' });
        const failed = report.result === 'FAIL';
        await keep({
          kind: failed ? 'script_failed' : 'status_report',
          systemId: caller.systemId,
          description:
            `${report.origin}: ${report.name} ${report.event_type}${report.result ? ` (${report.result})` : ''}: ${report.description}`
              .slice(0, 4096)
              .toWellFormed(),
          data: { name: report.name, event_type: report.event_type, ...(report.result === undefined ? {} : { result: report.result }) },
        });
        return nothing();
      },
    },
    [Symbol.asyncDispose]: flush,
  };
}
