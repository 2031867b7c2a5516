/** The cells at a glance: each a card, the absent ones too. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { counted } from '../amount.ts';
import { cellsQuery, standingOf, type CellRow, type CellStanding } from '../cell-list.ts';
import { Empty, Failed, Waiting } from '../parts/notice.tsx';
import { StateBar } from '../parts/state.tsx';
import { path } from '../path.ts';
import { programQuery, usePerson } from '../session.ts';
import { lasting } from '../time.ts';
import { CellActions } from './cell-actions.tsx';
import { FrontList } from './front-list.tsx';

const standingWords: Readonly<Record<CellStanding, string>> = {
  answering: 'answering',
  absent: 'absent',
  drained: 'drained',
  out: 'out',
  retired: 'retired',
  registered: 'registered',
};

const standingTexts: Readonly<Record<CellStanding, string>> = {
  answering: '',
  drained: 'It answers, and gets nothing new.',
  absent: 'It does not answer. Its deployed machines run on; nothing is known of them here until it is back.',
  out: 'An operator has said that it is not there.',
  retired: 'It is gone for good.',
  registered: 'The hub does not ask cells. Look through a front to see how it is.',
};

/** Seconds without a word of the hub that are worth a colour: a quiet long poll lasts half of it. */
const lagging = 60;

function sumOf(cells: readonly CellRow[], what: 'machines' | 'findings'): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const cell of cells) for (const [name, count] of Object.entries(cell[what] ?? {})) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

const totalOf = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((sum, count) => sum + count, 0);

export function CellsPage() {
  const queries = useQueryClient();
  const cells = useQuery(cellsQuery);
  const program = useQuery(programQuery).data?.program;
  const isHub = program === 'hub';
  const { admin } = usePerson();
  // A cell cannot write the registry, and one that stands alone is in none.
  const mayChange = admin && (isHub || program === 'front');
  if (cells.isPending) return <Waiting what="the cells" />;
  if (!cells.data)
    return <Failed error={cells.error} what="the cells" again={() => void queries.invalidateQueries({ queryKey: ['cells'] })} />;
  const absent = cells.data.filter((cell) => standingOf(cell) === 'absent');
  return (
    <div className="page">
      {cells.isError && <Failed error={cells.error} what="the cells again; this is how they were" />}
      <section className="headline" aria-label="The whole fleet">
        <h1>
          {counted(cells.data.length, 'cell')}
          {absent.length > 0 && <span className="bad">, {absent.length} absent</span>}
        </h1>
        {isHub ? (
          <p className="faint">The hub keeps users, keys, settings and images. Machines are seen through a front.</p>
        ) : (
          <>
            <p className="faint">
              {counted(totalOf(sumOf(cells.data, 'machines')), 'machine')}
              {absent.length > 0 && ', those of absent cells not counted'}
            </p>
            {totalOf(sumOf(cells.data, 'machines')) > 0 && <StateBar byState={sumOf(cells.data, 'machines')} />}
          </>
        )}
      </section>
      {cells.data.length === 0 ? (
        <Empty>
          <h2>No cell has joined yet.</h2>
          <p>
            <code>muster hub cell add NAME</code> prints what a cell needs to join.
          </p>
        </Empty>
      ) : (
        <ul className="cards">
          {cells.data.map((cell) => (
            <CellCard key={cell.name} cell={cell} mayChange={mayChange} />
          ))}
        </ul>
      )}
      <FrontList mayChange={mayChange} />
    </div>
  );
}

function CellCard({ cell, mayChange }: { readonly cell: CellRow; readonly mayChange: boolean }) {
  const standing = standingOf(cell);
  const total = cell.machines ? totalOf(cell.machines) : undefined;
  return (
    <li className={`card cell standing-${standing}`} aria-label={`Cell ${cell.name}, ${standingWords[standing]}`}>
      <header>
        <h2>
          <Link {...path.machines({ cell: cell.name })}>{cell.name}</Link>
        </h2>
        <span className={`standing standing-${standing}`}>
          <span className="dot" aria-hidden="true" />
          {standingWords[standing]}
        </span>
      </header>
      {cell.answering === true ? (
        <>
          {standing === 'drained' && <p className="faint">{standingTexts.drained}</p>}
          <p className="big">{total === undefined ? 'Not counted' : counted(total, 'machine')}</p>
          {cell.machines && <StateBar byState={cell.machines} cell={cell.name} />}
        </>
      ) : (
        <p className="standing-text">{standingTexts[standing]}</p>
      )}
      <dl className="facts-row">
        <div>
          <dt>Findings</dt>
          <dd>
            <FindingCounts counts={cell.findings} />
          </dd>
        </div>
        <div>
          <dt>Load</dt>
          <dd title="Processor, and how late the process is, over the last 10 to 20 seconds; operations that go on">
            {cell.load ? `${Math.round(cell.load.cpu * 100)}% · ${Math.round(cell.load.delay)} ms · ${cell.load.operations} at work` : '—'}
          </dd>
        </div>
        <div>
          <dt>Hub heard</dt>
          <dd className={cell.lag !== null && cell.lag > lagging ? 'bad' : ''}>
            {cell.lag === null ? '—' : `${lasting(cell.lag * 1000)} ago`}
          </dd>
        </div>
        <div>
          <dt>Settings</dt>
          <dd title="Revision of global settings">{cell.revision?.config ?? '—'}</dd>
        </div>
        <div>
          <dt>Version</dt>
          <dd>{cell.version || '—'}</dd>
        </div>
      </dl>
      {mayChange && <CellActions cell={cell} />}
    </li>
  );
}

function FindingCounts({ counts }: { readonly counts: CellRow['findings'] }) {
  if (!counts) return <>—</>;
  const shown = (['critical', 'warning', 'info'] as const).flatMap((severity) => {
    const count = counts[severity] ?? 0;
    return count === 0 ? [] : [{ severity, count }];
  });
  if (shown.length === 0) return <>none</>;
  return (
    <Link {...path.findings()} className="finding-counts">
      {shown.map(({ severity, count }) => (
        <span key={severity} className={`severity-${severity}`}>
          {count} {severity}
        </span>
      ))}
    </Link>
  );
}
