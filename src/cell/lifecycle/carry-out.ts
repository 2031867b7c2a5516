/** Carries one planned step out and writes that it was done, guarded by the lease. No policy here: what to do is `plan.ts`'s. */
import { randomBytes } from 'node:crypto';
import type { Database } from '../../postgres/database.ts';
import { lifecycle, stateOf, type MachineState } from '../../contract/lifecycle.ts';
import { operations, type BootPurpose } from '../../contract/operation.ts';
import { nobodys } from '../db/machine-status.ts';
import { finishOperation, stepTaken, type ClaimedOperation, type FactsRow } from '../db/operation-store.ts';
import { giveAddresses } from '../db/machine-network.ts';
import { keepAddress } from '../db/network-plan.ts';
import { intendVerb } from '../db/power-store.ts';
import type { CellTables } from '../db/schema.ts';
import { issueTicket, revokeSystemCredentials, voidTicket } from '../db/ticket-store.ts';
import type { CellDb } from '../db/cell-db.ts';
import { lookAgain, netbootWithin, waitsForHands, type OperationFacts, type Step } from './plan.ts';

/** What the lifecycle needs from the rest of the cell. */
export interface LifecycleDoor {
  /** Is the image with this digest where every process of the cell can serve it? An operation has waited for it so long, in ms. */
  hasImage(sha256: string, waitedMs: number): Promise<boolean>;
  /** Bring it there; resolves when it is there and its digest was checked. */
  fetchImage(sha256: string, signal: AbortSignal): Promise<void>;
  /** Does the DHCP configuration that runs name this machine? An operation has waited for it so long, in ms. With DHCP off: true. */
  dhcpNames(systemId: string, waitedMs: number): Promise<boolean>;
  /** Named points where a test may kill the process. */
  killPoint(name: string): void;
}

export interface Logger {
  info(facts: object, text: string): void;
  error(facts: object, text: string): void;
}

export interface Executor {
  readonly database: Database<CellTables>;
  readonly door: LifecycleDoor;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Seconds that a ticket is good for: long enough for the slowest firmware; heartbeats of the agent prolong it. */
const ticketSeconds = (netbootWithin / 1000) * 2;
/** Firmware may start the environment more than once before the agent gets through. */
const bootsAllowed = 5;

/** @throws LostRace when another worker has the operation. */
export async function carryOut(
  executor: Executor,
  claimed: ClaimedOperation,
  row: FactsRow,
  facts: OperationFacts,
  step: Step,
): Promise<void> {
  const { database, door } = executor;
  const again = (name: string, note: string, dueIn: number) => ({ step: name, note, dueIn, waitsForHands: waitsForHands(facts) });
  switch (step.do) {
    case 'fetch_image': {
      const sha256 = row.image?.sha256 ?? '';
      await stepNote(database.db, row, 'fetching the image');
      const failed = await door.fetchImage(sha256, executor.signal).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      door.killPoint('fetch_image:after-effect');
      return stepTaken(
        database.db,
        claimed,
        again(
          'fetch_image',
          failed === undefined ? 'the image is here' : `the image did not arrive: ${failed}`,
          failed === undefined ? 0 : lookAgain,
        ),
      );
    }
    case 'apply_dhcp':
      // The network room applies by itself, woken by the same notification; here it is only waited for.
      return stepTaken(database.db, claimed, again('apply_dhcp', 'waiting for DHCP to know the machine', 500));
    case 'wait':
      return stepTaken(database.db, claimed, again(`wait_for_${step.for}`, '', step.until - facts.now));
    case 'issue_ticket':
      return database.transaction(async (tx) => {
        const nonce = randomBytes(16).toString('hex');
        const purpose = purposeOf(row);
        // From here on DHCP always gives it the same address: the credential of its boot is bound to it.
        await keepAddress(tx, row.system_id);
        if (purpose === 'deploy') await giveAddresses(tx, row.system_id);
        await issueTicket(
          tx,
          { nonce, systemId: row.system_id, operationId: row.id, purpose, within: ticketSeconds, bootsAllowed },
          claimed.fence,
        );
        door.killPoint('issue_ticket:after-effect');
        await stepTaken(tx, claimed, again('issue_ticket', `boot ${row.tickets + 1} to ${purpose}`, 0));
      });
    case 'void_ticket':
      return database.transaction(async (tx) => {
        await voidTicket(tx, row.id, step.reason);
        door.killPoint('void_ticket:after-effect');
        await stepTaken(tx, claimed, again('void_ticket', step.reason, 0));
      });
    case 'power':
      return database.transaction(async (tx) => {
        const nonce = step.verb === 'off' ? undefined : facts.ticket?.nonce;
        await intendVerb(tx, {
          systemId: row.system_id,
          verb: step.verb,
          operationId: row.id,
          requestedBy: row.requested_by,
          ...(nonce === undefined ? {} : { nonce }),
          ...(step.nextBoot ? { nextBoot: step.nextBoot } : {}),
          ...(step.patience === undefined ? {} : { patienceMs: step.patience }),
        });
        door.killPoint('power:after-effect');
        await stepTaken(tx, claimed, again(`power_${step.verb}`, '', lookAgain));
      });
    case 'finish':
      return database.transaction(async (tx) => {
        await finishOperation(tx, claimed, row, { outcome: step.outcome, error: step.error, ...endState(row, step.outcome) });
        if (releases(row, step.outcome)) await revokeSystemCredentials(tx, row.system_id);
        door.killPoint('finish:after-effect');
      });
  }
}

async function stepNote(db: CellDb, row: FactsRow, note: string): Promise<void> {
  await db.updateTable('operation').set({ note }).where('id', '=', row.id).where('fence', '=', row.fence).execute();
}

function purposeOf(row: FactsRow): BootPurpose {
  const rule = operations[row.kind];
  if ('boots' in rule) return rule.boots;
  throw new Error(`an operation of kind ${row.kind} boots nothing`);
}

function releases(row: FactsRow, outcome: 'done' | 'failed' | 'aborted'): boolean {
  return outcome === 'done' && (row.kind === 'release' || row.kind === 'erase');
}

/** The state that an operation ends in, and what else changes on the machine's row. */
function endState(row: FactsRow, outcome: 'done' | 'failed' | 'aborted'): { to: MachineState; set?: typeof nobodys } {
  const rule = operations[row.kind];
  const previous = stateOf(row.previous_status);
  if (outcome === 'failed') return { to: rule.failed };
  if (outcome === 'aborted') {
    const aborted = 'aborted' in rule ? rule.aborted : rule.failed;
    return {
      to: aborted === 'previous' ? settledOr(previous, rule.failed) : row.kind === 'commission' && previous === 'ready' ? 'ready' : aborted,
    };
  }
  if (releases(row, outcome)) return { to: 'ready', set: nobodys };
  if (row.kind === 'test' || row.kind === 'exit_rescue') return { to: settledOr(originOf(row), 'ready') };
  return { to: rule.done };
}

/** Where a test or rescue came from: written when it was asked for, since the row's previous state is then the operation's own. */
function originOf(row: FactsRow): MachineState {
  const origin = row.memory['origin'];
  return typeof origin === 'number' ? stateOf(origin) : stateOf(row.previous_status);
}

function settledOr(state: MachineState, otherwise: MachineState): MachineState {
  return lifecycle[state].settled && state !== 'rescue_mode' ? state : otherwise;
}
