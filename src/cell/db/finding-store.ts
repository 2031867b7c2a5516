/** Findings: something an operator should look at; a row, never an exception. One open row for a kind and subject. */
import { sql } from 'kysely';
import { findingKinds, findingText, type FindingKind } from '../../contract/findings.ts';
import type { CellDb } from './cell-db.ts';
import { record, recordAll } from './event-store.ts';

export interface NewFinding {
  readonly kind: FindingKind;
  /** What tells two open findings of one kind apart (contract/findings.ts). */
  readonly subject: string;
  readonly systemId?: string;
  readonly data: Record<string, string | number>;
}

/** Open those of these findings of different subjects that are not open yet, in two statements. */
export async function openFindings(tx: CellDb, kind: FindingKind, found: readonly Required<Omit<NewFinding, 'kind'>>[]): Promise<void> {
  if (found.length === 0) return;
  const { rows } = await sql<{ id: number; system_id: string; text: string }>`
    insert into finding (kind, subject, system_id, text, data)
    select ${kind}, w.subject, w.system_id, w.text, w.data
    from unnest(${found.map((one) => one.subject)}::text[], ${found.map((one) => one.systemId)}::text[],
                ${found.map((one) => findingText(kind, one.data))}::text[],
                ${found.map((one) => JSON.stringify(one.data))}::jsonb[]) as w (subject, system_id, text, data)
    on conflict (kind, subject) where resolved is null do nothing
    returning id, system_id, text`.execute(tx);
  await recordAll(
    tx,
    rows.map(({ id, system_id, text }) => ({
      kind: 'finding_opened',
      systemId: system_id,
      description: text,
      data: { finding: id, severity: findingKinds[kind].severity },
    })),
  );
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

/** What was wrong with these is right again; those that are not open are left alone. */
export async function resolveFindings(tx: CellDb, kind: FindingKind, subjects: readonly string[]): Promise<void> {
  const { rows } = await sql<{ id: number; system_id: string | null; text: string }>`
    update finding set resolved = now() where kind = ${kind} and subject = any (${subjects as string[]}::text[]) and resolved is null
    returning id, system_id, text`.execute(tx);
  await recordAll(
    tx,
    rows.map(({ id, system_id, text }) => ({
      kind: 'finding_resolved',
      ...(system_id === null ? {} : { systemId: system_id }),
      description: text,
      data: { finding: id },
    })),
  );
}
