/** What somebody should look at, newest first, each with what to do about it. */
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Button } from 'react-aria-components/Button';
import type { RouteReply } from '../../src/contract/routes.ts';
import { client, gathered } from '../api.ts';
import { Age } from '../parts/age.tsx';
import { Empty, Failed, Partial, Waiting } from '../parts/notice.tsx';
import { useToasts } from '../parts/toast.tsx';
import { path } from '../path.ts';
import { programQuery, usePerson } from '../session.ts';

type Finding = RouteReply<'Finding.read'>;

const findingsQuery = queryOptions({
  queryKey: ['findings'],
  queryFn: async ({ signal }) => gathered<readonly Finding[]>(await client.open('Findings.read', {}, { limit: 500 }, { signal })),
  refetchInterval: 30_000,
});

export function FindingsPage() {
  const queries = useQueryClient();
  const isHub = useQuery(programQuery).data?.program === 'hub';
  const findings = useQuery({ ...findingsQuery, enabled: !isHub });
  if (isHub)
    return (
      <Empty>
        <h1>The hub keeps no findings.</h1>
        <p>Each cell has its own; sign in at a front to see them all.</p>
      </Empty>
    );
  if (findings.isPending) return <Waiting what="the findings" />;
  if (!findings.data)
    return <Failed error={findings.error} what="the findings" again={() => void queries.invalidateQueries({ queryKey: ['findings'] })} />;
  const { body, cells } = findings.data;
  return (
    <div className="page">
      <h1>Findings</h1>
      <Partial cells={cells}>Their findings are not shown.</Partial>
      {body.length === 0 ? (
        <Empty>
          <h2>{(cells?.absent.length ?? 0) > 0 ? 'Nothing to look at in the cells that answered.' : 'Nothing to look at.'}</h2>
          <p>A finding is something that somebody should see to. None is open.</p>
        </Empty>
      ) : (
        <ul className="findings">
          {body.map((finding) => (
            <FindingItem key={finding.id} finding={finding} />
          ))}
        </ul>
      )}
    </div>
  );
}

function FindingItem({ finding }: { readonly finding: Finding }) {
  const queries = useQueryClient();
  const toasts = useToasts();
  const { admin } = usePerson();
  const dismiss = useMutation({
    mutationFn: () => client.call('Finding.dismiss', { id: String(finding.id) }, {}),
    onSuccess: () => toasts.done('Dismissed. If its cause is still there, it comes back.'),
    onError: (error) => toasts.failed('Could not dismiss the finding', error),
    onSettled: () => queries.invalidateQueries({ queryKey: ['findings'] }),
  });
  return (
    <li className={`card finding severity-edge-${finding.severity}`}>
      <p>
        <span className={`severity severity-${finding.severity}`}>{finding.severity}</span> <strong>{finding.text}</strong>
      </p>
      <p>{finding.advice}</p>
      <p className="faint">
        cell {finding.cell} · seen {finding.count} times, last <Age since={finding.last_seen} /> ago
        {finding.system_id !== null && (
          <>
            {' · '}
            <Link {...path.machine(finding.system_id)}>machine {finding.system_id}</Link>
          </>
        )}
      </p>
      {admin && (
        <Button onPress={() => dismiss.mutate()} isDisabled={dismiss.isPending}>
          Dismiss
        </Button>
      )}
    </li>
  );
}
