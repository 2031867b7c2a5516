/** What is being done to the machine, step by step with times; below, what was done before. */
import { useQuery } from '@tanstack/react-query';
import { Age } from '../parts/age.tsx';
import { Empty, Failed, Waiting } from '../parts/notice.tsx';
import { useNow } from '../parts/now.ts';
import { clock, exactly, lasting, moment } from '../time.ts';
import { operationsQuery, type OperationBody } from './queries.ts';

const outcomeWords = { live: 'under way', done: 'done', failed: 'failed', aborted: 'aborted' } as const;

export function OperationPanel({ systemId }: { readonly systemId: string }) {
  const operations = useQuery(operationsQuery(systemId));
  if (operations.isPending) return <Waiting what="its operations" />;
  if (!operations.data) return <Failed error={operations.error} what="its operations" />;
  const [newest, ...older] = operations.data;
  if (!newest) return <Empty>Nothing has been done to it yet.</Empty>;
  return (
    <>
      <OneOperation operation={newest} />
      {older.length > 0 && (
        <details className="older">
          <summary>Before that: {older.map((one) => `${one.kind} ${outcomeWords[one.outcome]}`).join(', ')}</summary>
          {older.map((one) => (
            <OneOperation key={one.id} operation={one} />
          ))}
        </details>
      )}
    </>
  );
}

function OneOperation({ operation }: { readonly operation: OperationBody }) {
  const now = useNow();
  const { kind, outcome, started, ended, steps, note, error } = operation;
  const whole = (ended === null ? now : Date.parse(ended)) - Date.parse(started);
  const longest = Math.max(1, ...steps.map((step) => lengthOf(step, now)));
  return (
    <article className={`operation outcome-${outcome}`} aria-label={`${kind}, ${outcomeWords[outcome]}`}>
      <header>
        <h3>{kind.replaceAll('_', ' ')}</h3>
        <span className={`outcome outcome-${outcome}`}>
          <span className="dot" aria-hidden="true" />
          {outcomeWords[outcome]}
        </span>
        <span className="faint" title={`${moment(started)}, asked by ${operation.requested_by}`}>
          {outcome === 'live' ? 'for' : 'in'} {exactly(whole)}
          {outcome !== 'live' && (
            <>
              {', '}
              <Age since={ended ?? started} /> ago
            </>
          )}
        </span>
      </header>
      {outcome === 'live' && (
        <p className="note" role="status">
          <strong>{operation.waits_for_hands ? 'Waits for hands: ' : ''}</strong>
          {operation.abort_asked ? 'Being aborted. ' : ''}
          {note || operation.step}
          {!operation.waits_for_hands && <span className="faint"> · gives up in {lasting(Date.parse(operation.deadline) - now)}</span>}
        </p>
      )}
      {error !== '' && <p className="note bad">{error}</p>}
      <ol className="steps">
        {steps.map((step, at) => (
          <li
            key={`${step.started} ${step.step}`}
            className={step.ended === null && outcome === 'live' ? 'running' : ''}
            aria-current={at === steps.length - 1 && outcome === 'live' ? 'step' : undefined}
          >
            <time dateTime={step.started} title={moment(step.started)}>
              {clock(step.started)}
            </time>
            <span className="step-name">{step.step.replaceAll('_', ' ')}</span>
            <span className="step-detail">{step.detail}</span>
            <span className="step-bar" aria-hidden="true">
              <span style={{ width: `${Math.max(1, (100 * lengthOf(step, now)) / longest)}%` }} />
            </span>
            <span className="step-time">{exactly(lengthOf(step, now))}</span>
          </li>
        ))}
      </ol>
    </article>
  );
}

function lengthOf(step: OperationBody['steps'][number], now: number): number {
  return Math.max(0, (step.ended === null ? now : Date.parse(step.ended)) - Date.parse(step.started));
}
