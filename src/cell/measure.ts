/** What a cell measures besides its requests: how far it is from the hub, how it stands, how busy this process is. */
import { Gauge, type Registry } from 'prom-client';
import type { CellState } from '../global/member-state.ts';
import type { CellGlobal } from '../global/standalone-global.ts';
import type { LoadWatch } from './load.ts';

const states: readonly CellState[] = ['in', 'drained', 'out', 'retired'];

export function measureCell(registry: Registry, global: Pick<CellGlobal, 'lag' | 'state'>, load: Pick<LoadWatch, 'now'>): void {
  const registers = [registry];
  const lag: Gauge = new Gauge({
    name: 'muster_cell_hub_lag_seconds',
    help: 'Seconds since the hub was last heard of; 0 where the cell stands alone.',
    registers,
    collect: () => lag.set(global.lag() ?? 0),
  });
  const state: Gauge = new Gauge({
    name: 'muster_cell_state',
    help: '1 for how the hub says that the cell stands, 0 for the others.',
    labelNames: ['state'],
    registers,
    collect: () => {
      for (const one of states) state.set({ state: one }, one === global.state() ? 1 : 0);
    },
  });
  const cpu: Gauge = new Gauge({
    name: 'muster_cell_cpu_cores',
    help: 'Processor cores that this process used over the last 10 to 20 seconds.',
    registers,
    collect: () => cpu.set(load.now().cpu),
  });
  const delay: Gauge = new Gauge({
    name: 'muster_cell_delay_seconds',
    help: 'How late 99 of 100 timers of this process were at most, over the last 10 to 20 seconds.',
    registers,
    collect: () => delay.set(load.now().delay / 1000),
  });
}
