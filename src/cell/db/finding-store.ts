/** Findings: something an operator should look at; a row, never an exception. One open row for a kind and subject. */
import { sql } from 'kysely';
import { findingKinds, findingText, type FindingKind } from '../../contract/findings.ts';
import type { CellDb } from './cell-db.ts';
import { record } from './event-store.ts';

export interface NewFinding {
  readonly kind: FindingKind;
  /** What tells two open findings of one kind apart (contract/findings.ts). */
  readonly subject: string;
  readonly systemId?: string;
  readonly data: Record<string, string | number>;
}

/** Open a finding, or count another occurrence of the open one. */
export async function openFinding(tx: CellDb, finding: NewFinding): Promise<void> {
  const text = findingText(finding.kind, finding.data);
  const { rows } = await sql<{ count: number; id: number }>`
    insert into finding (kind, subject, system_id, text, data)
    values (${finding.kind}, ${finding.subject}, ${finding.systemId ?? null}, ${text}, ${JSON.stringify(finding.data)}::jsonb)
    on conflict (kind, subject) where resolved is null
    do update set count = finding.count + 1, last_seen = now(), text = excluded.text, data = excluded.data
    returning count, id`.execute(tx);
  if (rows[0]?.count !== 1) return;
  await record(tx, {
    kind: 'finding_opened',
    ...(finding.systemId === undefined ? {} : { systemId: finding.systemId }),
    description: text,
    data: { finding: rows[0].id, severity: findingKinds[finding.kind].severity },
  });
}
