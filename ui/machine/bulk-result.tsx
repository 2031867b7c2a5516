/** What came of a bulk call: how far its operations are, and every machine that was not done with the reason. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Button } from 'react-aria-components/Button';
import { counted } from '../amount.ts';
import { client, errorText } from '../api.ts';
import type { MachineRow } from '../machine-list.ts';
import { Framed } from '../parts/dialog.tsx';
import { isUnderWay, progressOf, reasonsOf, type BulkReply } from './bulk.ts';

/** Milliseconds between two looks; counting costs each cell one statement. */
const every = 2000;
/** Names that are shown of one reason; more are counted. */
const mostNames = 30;

interface BulkResultProps {
  readonly label: string;
  readonly reply: BulkReply;
  readonly rows: readonly MachineRow[];
  /** It began operations, whose ends are still to come. */
  readonly follows: boolean;
  readonly onClose: () => void;
}

export function BulkResult({ label, reply, rows, follows, onClose }: BulkResultProps) {
  const reasons = useMemo(() => {
    const names = new Map(rows.map((row) => [row.system_id, row.hostname]));
    return reasonsOf(reply.outcomes, (id) => names.get(id) ?? id);
  }, [reply, rows]);
  return (
    <Framed title={`${label}: ${counted(reply.outcomes.length, 'machine')}`} onClose={onClose}>
      <div className="dialog-body bulk-result">
        <p role="status">
          <strong>{`${counted(reply.done, 'machine')} ${follows ? 'begun' : 'done'}`}</strong>
          {reply.refused > 0 && `, ${reply.refused.toLocaleString('en')} refused`}
          {reply.unknown > 0 && `, ${reply.unknown.toLocaleString('en')} unknown`}
        </p>
        {follows && reply.done > 0 && <BulkProgress bulk={reply.bulk} />}
        {reasons.map(({ outcome, text, machines }) => (
          <div key={`${outcome} ${text}`} className={outcome === 'unknown' ? 'notice partial' : 'notice'}>
            <p>{text}</p>
            <p className="soft">
              {machines.slice(0, mostNames).join(', ')}
              {machines.length > mostNames && ` and ${(machines.length - mostNames).toLocaleString('en')} more`}
            </p>
          </div>
        ))}
      </div>
      <div className="dialog-buttons">
        <Button className="primary" onPress={onClose} autoFocus>
          Close
        </Button>
      </div>
    </Framed>
  );
}

function BulkProgress({ bulk }: { readonly bulk: string }) {
  const counts = useQuery({
    queryKey: ['bulk', bulk],
    queryFn: ({ signal }) => client.call('Operations.summary', {}, { bulk: [bulk] }, { signal }),
    refetchInterval: (query) => (isUnderWay(query.state.data, query.state.error) ? every : false),
  });
  if (counts.isError) return <p className="bad">How far they are could not be read: {errorText(counts.error)}</p>;
  if (!counts.data) return null;
  const { total, ended, failed } = progressOf(counts.data);
  const { waits_for_hands: hands } = counts.data;
  return (
    <>
      <progress value={ended} max={Math.max(1, total)} aria-label="Ended" />
      <p>
        {`${ended.toLocaleString('en')} of ${total.toLocaleString('en')} have ended`}
        {failed > 0 && `, ${failed.toLocaleString('en')} of them failed`}
        {hands > 0 && `; ${counted(hands, 'machine')} wait for hands`}.
      </p>
    </>
  );
}
