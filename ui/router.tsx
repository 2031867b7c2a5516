/** The addresses of the page: each is one page; links to them are in path.ts. */
import { createRootRoute, createRoute, createRouter, Link, redirect } from '@tanstack/react-router';
import { Frame } from './frame.tsx';
import { CellsPage } from './pages/cells-page.tsx';
import { FindingsPage } from './pages/findings-page.tsx';
import { MachinePage } from './pages/machine-page.tsx';
import { MachinesPage } from './pages/machines-page.tsx';
import { Empty } from './parts/notice.tsx';
import { path, readMachineSearch, type MachineSearch } from './path.ts';

const root = createRootRoute({ component: Frame, notFoundComponent: NowhereYet });

function NowhereYet() {
  return (
    <Empty>
      <h1>There is no such page.</h1>
      <p>
        <Link {...path.cells()}>Go to the cells</Link>, or <Link {...path.machines()}>to the machines</Link>.
      </p>
    </Empty>
  );
}

const cells = createRoute({ getParentRoute: () => root, path: '/', component: CellsPage });

const machines = createRoute({
  getParentRoute: () => root,
  path: '/machines',
  validateSearch: (given: Record<string, unknown>): MachineSearch => readMachineSearch(given),
  component: function Machines() {
    return <MachinesPage search={machines.useSearch()} />;
  },
});

const machine = createRoute({
  getParentRoute: () => root,
  path: '/machines/$systemId',
  component: function OneMachine() {
    const { systemId } = machine.useParams();
    return <MachinePage key={systemId} systemId={systemId} />;
  },
});

const findings = createRoute({ getParentRoute: () => root, path: '/findings', component: FindingsPage });

/** The URL that API clients are given, and that of another MAAS's pages: people paste it into a browser. */
const elsewhere = (['/MAAS', '/MAAS/$'] as const).map((address) =>
  createRoute({
    getParentRoute: () => root,
    path: address,
    beforeLoad: () => {
      throw redirect({ ...path.cells(), replace: true });
    },
  }),
);

export function createPageRouter() {
  return createRouter({ routeTree: root.addChildren([cells, machines, machine, findings, ...elsewhere]) });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createPageRouter>;
  }
}
