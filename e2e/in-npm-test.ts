/**
 * The end-to-end runs that are part of `npm test`, with what each was measured to take. Together with the rest they stay under 25 minutes
 * on two cores with cold caches (held by test/npm-test-runs.test.ts). A run that cannot run is never passed over in silence.
 */
import type { PackageSet } from '../setup/debian-packages.mjs';

export interface NpmTestRun {
  /** Also the file: `e2e/<name>.e2e.ts`. */
  readonly name: string;
  /** Arguments after the file. */
  readonly args: readonly string[];
  /** Measured wall time on two cores, cold caches; the time-out is three times that, at least two minutes. */
  readonly seconds: number;
  /** Sets of Debian packages that it uses. */
  readonly sets: readonly PackageSet[];
  /** Whether it needs root on Linux (network namespaces, raw sockets). */
  readonly root: boolean;
  /** Whether it may run beside another run of this kind; otherwise it has the machine to itself. */
  readonly aside: boolean;
}

export const npmTestRuns: readonly NpmTestRun[] = [
  // 48 s to the last line, 52 s with the planted failure, three parts lost, the rest kill -9, the next start, --data and Ctrl-C.
  // By itself: a rack that another run raises sweeps up what this one's killed run left behind, which it wants to sweep up itself.
  { name: 'start', args: [], seconds: 250, sets: ['cell'], root: true, aside: false },
  // 35 s alone; apt-get update, three downloads and four installations.
  { name: 'quiet-install', args: [], seconds: 40, sets: ['cell'], root: true, aside: true },
  // 35 s beside much other work, 13 of them one commissioning; the page's build (2 s) included.
  { name: 'ui', args: [], seconds: 40, sets: ['browser'], root: false, aside: true },
  // A SeaBIOS and an OVMF machine side by side from power-on to released, 260 s; 150 s more are the two images with a cold cache.
  { name: 'metal', args: [], seconds: 410, sets: ['cell', 'image', 'metal'], root: true, aside: false },
  // The agent against a cell that loses replies, refuses and aborts: the parts that metal does not have.
  { name: 'agent-alone', args: ['commission', 'refused', 'ended'], seconds: 90, sets: ['image', 'metal'], root: true, aside: true },
  // Firmware and BMCs alone, switched by the cell's own drivers.
  { name: 'rack-smoke', args: [], seconds: 25, sets: ['cell', 'metal'], root: true, aside: true },
  // 45 kill points; one of them waits 40 s for the slowest BMC, the others run meanwhile.
  { name: 'kill-mid-deploy', args: [], seconds: 100, sets: ['cell'], root: false, aside: true },
  // A fleet of real processes loses a part in the middle of allocations and deployments. 20 s of each are the fleet's start; a blow takes 5 s.
  { name: 'lose-a-cell', args: ['api_claim', 'api_deploy', 'claim:', 'confirm'], seconds: 55, sets: ['cell'], root: false, aside: true },
  { name: 'lose-a-front', args: ['claim', 'confirm'], seconds: 55, sets: ['cell'], root: false, aside: true },
  { name: 'lose-the-hub', args: [], seconds: 60, sets: ['cell'], root: false, aside: true },
  { name: 'lose-everything-but-one-cell', args: ['claim'], seconds: 50, sets: ['cell'], root: false, aside: true },
  { name: 'cut-the-network', args: [], seconds: 60, sets: ['cell'], root: true, aside: true },
  { name: 'restore-the-hub', args: [], seconds: 60, sets: ['cell'], root: false, aside: true },
  { name: 'two-cell-processes', args: [], seconds: 100, sets: ['cell'], root: false, aside: true },
];
