/** Ask, claim, confirm and what else a front's allocation needs, over the machines in memory of an example cell. */
import { fail } from '../contract/errors.ts';
import type { LooseCall, LooseHandler } from '../http/dispatch.ts';
import { json } from '../http/reply.ts';
import type { ExampleCell, ExampleMachine } from './example-fleet.ts';

type AllocationRoute = `Machines.${'ask' | 'claim' | 'confirm' | 'free_claim' | 'mark_delivered' | 'settle_key'}`;

interface Known {
  readonly free: (machine: ExampleMachine) => boolean;
  readonly cheapest: (call: LooseCall) => ExampleMachine | undefined;
  readonly shown: (machine: ExampleMachine) => object;
}

function userOf(call: LooseCall): string {
  return (call.caller as { username?: string }).username ?? '';
}

export function allocationHandlers(
  cell: Pick<ExampleCell, 'machines' | 'keys' | 'over'>,
  { free, cheapest, shown }: Known,
): Record<AllocationRoute, LooseHandler> {
  const { machines } = cell;
  return {
    'Machines.ask': (call) => {
      const best = cheapest(call);
      const ready = machines.filter(free).length;
      const key = call.request.idempotencyKey;
      const settled = key === undefined ? undefined : cell.keys.get(`${userOf(call)} ${key}`);
      const held = machines.filter((one) => one.owner === userOf(call)).length;
      return {
        best: best ? { system_id: best.system_id, cost: best.cost } : null,
        ready,
        matching: best ? 1 : 0,
        ruled_out: best ? {} : { zone: ready },
        ...(call.params['spread'] === 'cell' ? { groups: [{ name: '', held, cost: best?.cost ?? null }] } : {}),
        ...(settled ? { settled } : {}),
      };
    },
    'Machines.claim': (call) => {
      const claim = String(call.params['claim']);
      if (cell.over.has(claim)) throw fail('claim_refused', { text: 'This claim is over.' });
      const machine = machines.find((one) => one.claim === claim) ?? cheapest(call);
      if (!machine) throw fail('none_available', { text: 'No machine available.' });
      Object.assign(machine, { claim, claimedUntil: Date.now() + 30_000 });
      return { claim, system_id: machine.system_id, expires_in: 30 };
    },
    'Machines.confirm': (call) => {
      const machine = machines.find((one) => one.claim === call.params['claim']);
      if (!machine) throw fail('claim_refused', { text: 'This claim has run out.' });
      machine.owner = userOf(call);
      return json(shown(machine));
    },
    'Machines.free_claim': (call) => {
      const claim = String(call.params['claim']);
      const machine = machines.find((one) => one.claim === claim);
      if (machine?.owner) return { claim, state: 'kept' };
      cell.over.add(claim);
      if (machine) Object.assign(machine, { claim: undefined, claimedUntil: 0 });
      return { claim, state: 'over' };
    },
    'Machines.mark_delivered': () => null,
    'Machines.settle_key': (call) => {
      const { cell: at, claim, system_id, request, instead_of } = call.params as Record<string, string>;
      const key = `${userOf(call)} ${call.request.idempotencyKey}`;
      const held = cell.keys.get(key);
      if (held && held.request !== request) throw fail('idempotency_mismatch');
      if (held && held.claim !== instead_of) return held;
      const settled = { cell: Number(at), claim: String(claim), system_id: String(system_id), request: String(request) };
      cell.keys.set(key, settled);
      return settled;
    },
  };
}
