/** One machine: how it is, what can be asked of it, what is being done to it, what has happened, and what it is made of. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { ApiError } from '../../src/http/client.ts';
import { ActionBar } from '../machine/action-bar.tsx';
import { Events } from '../machine/events.tsx';
import { Disks, Facts, Interfaces } from '../machine/facts.tsx';
import { OperationPanel } from '../machine/operation-panel.tsx';
import { machineQuery } from '../machine/queries.ts';
import { Results } from '../machine/results.tsx';
import { Age } from '../parts/age.tsx';
import { Empty, Failed, Waiting } from '../parts/notice.tsx';
import { Power, StateBadge } from '../parts/state.tsx';
import { path } from '../path.ts';

export function MachinePage({ systemId }: { readonly systemId: string }) {
  const queries = useQueryClient();
  const { data: machine, error, isPending } = useQuery(machineQuery(systemId));
  const title = machine?.hostname ?? systemId;
  useEffect(() => {
    document.title = `${title} · Muster`;
    return () => {
      document.title = 'Muster';
    };
  }, [title]);
  if (isPending) return <Waiting what={`machine ${systemId}`} />;
  if (error instanceof ApiError && error.status === 404)
    return (
      <Empty>
        <h1>There is no machine {systemId}.</h1>
        <p>
          It may have been deleted. <Link {...path.machines()}>All machines</Link>
        </p>
      </Empty>
    );
  if (!machine)
    return (
      <Failed
        error={error}
        what={`machine ${systemId}`}
        again={() => void queries.invalidateQueries({ queryKey: ['machine', systemId] })}
      />
    );
  return (
    <div className="page machine">
      <nav className="crumbs" aria-label="Where this is">
        <Link {...path.machines()}>Machines</Link> / <Link {...path.machines({ cell: machine.cell })}>{machine.cell}</Link> / {systemId}
      </nav>
      {error && <Failed error={error} what="the machine again; this is how it was" />}
      <header className="machine-head">
        <h1>{machine.hostname}</h1>
        <StateBadge status={machine.status} locked={machine.locked} />
        <span className="faint">
          for <Age since={machine.status_since} />
        </span>
        <Power {...machine} />
        {machine.owner !== null && <span className="faint">owned by {machine.owner}</span>}
      </header>
      {machine.error_description !== '' && <p className="notice failed">{machine.error_description}</p>}
      <ActionBar machine={machine} />
      <div className="columns">
        <div>
          <section className="card" aria-labelledby="operation">
            <h2 id="operation">Operation</h2>
            <OperationPanel systemId={systemId} />
          </section>
          <section className="card" aria-labelledby="events">
            <h2 id="events">Events</h2>
            <Events systemId={systemId} />
          </section>
        </div>
        <div>
          <section className="card" aria-labelledby="facts">
            <h2 id="facts">Facts</h2>
            <Facts machine={machine} />
          </section>
          <section className="card" aria-labelledby="disks">
            <h2 id="disks">Disks</h2>
            <Disks machine={machine} />
          </section>
          <section className="card" aria-labelledby="interfaces">
            <h2 id="interfaces">Interfaces</h2>
            <Interfaces machine={machine} />
          </section>
          <section className="card" aria-labelledby="results">
            <h2 id="results">Scripts</h2>
            <Results systemId={systemId} />
          </section>
        </div>
      </div>
    </div>
  );
}
