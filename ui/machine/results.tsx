/** What scripts found out about the machine; the output of one is read when it is opened. */
import { queryOptions, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { client, errorText } from '../api.ts';
import { Empty, Failed, Waiting } from '../parts/notice.tsx';
import { instantOfMaas, moment } from '../time.ts';
import { resultsQuery, type ResultSetBody } from './queries.ts';

type ScriptResult = ResultSetBody['results'][number];

const textOf = (base64: string): string => new TextDecoder().decode(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));

const outputQuery = (systemId: string, set: number, name: string) =>
  queryOptions({
    queryKey: ['machine', systemId, 'output', set, name],
    queryFn: async ({ signal }): Promise<string> => {
      const path = { system_id: systemId, id: String(set) };
      const found = await client.call('NodeScriptResult.read', path, { filters: name, include_output: true }, { signal });
      const result = found.results.find((each) => each.name === name);
      return textOf(result?.output ?? result?.stdout ?? '');
    },
  });

/** Which colour a script's outcome has; the numbers are MAAS's (contract/resources/scripts.ts). */
function colorOf(status: number): string {
  if (status === 2 || status === 9) return 'good';
  return [3, 4, 6, 8, 11].includes(status) ? 'bad' : 'faint';
}

export function Results({ systemId }: { readonly systemId: string }) {
  const results = useQuery(resultsQuery(systemId));
  if (results.isPending) return <Waiting what="the results of scripts" />;
  if (!results.data) return <Failed error={results.error} what="the results of scripts" />;
  const sets = results.data.filter((set) => set.results.length > 0);
  if (sets.length === 0) return <Empty>No script has run on it yet.</Empty>;
  return sets.map((set) => (
    <div key={set.id} className="result-set">
      <h3>
        {set.type_name} <span className={colorOf(set.status)}>{set.status_name}</span> <SetTime set={set} />
      </h3>
      <ul>
        {set.results.map((result) => (
          <OneResult key={result.id} systemId={systemId} set={set.id} result={result} />
        ))}
      </ul>
    </div>
  ));
}

function SetTime({ set }: { readonly set: ResultSetBody }) {
  const given = set.ended ?? set.started;
  return given === null ? null : <span className="faint">{moment(instantOfMaas(given))}</span>;
}

function OneResult({ systemId, set, result }: { readonly systemId: string; readonly set: number; readonly result: ScriptResult }) {
  const [open, setOpen] = useState(false);
  const output = useQuery({ ...outputQuery(systemId, set, result.name), enabled: open });
  return (
    <li>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <span className={colorOf(result.status)}>{result.status_name}</span> {result.name} <span className="faint">{result.runtime}</span>
          {result.exit_status !== null && result.exit_status !== 0 && <span className="bad"> exit {result.exit_status}</span>}
        </summary>
        <pre>{output.data ?? (output.isError ? errorText(output.error) : 'Reading…')}</pre>
      </details>
    </li>
  );
}
