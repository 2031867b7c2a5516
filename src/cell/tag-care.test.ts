// Tags with a definition over real rows: what is judged, what is left alone, and what a death in the middle costs.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { cellApi, type CellApi } from '../../test/cell-api.ts';
import { TagJudge } from '../global/tag-judge.ts';
import { saveLshw } from './db/hardware-store.ts';
import { careForTags } from './tag-care.ts';

const judge = new TagJudge(600);
let api: CellApi;
let ids: string[];

beforeAll(async () => {
  api = await cellApi({ asked: 'cell' });
  ids = (await api.fleet(45)).toSorted();
});
afterAll(async () => {
  await judge[Symbol.asyncDispose]();
  await api.close();
});

const lshw = (vendor: string) => `<list><node id="x" class="system"><vendor>${vendor}</vendor></node></list>`;
const report = (id: string | undefined, xml: string) => api.database.transaction((tx) => saveLshw(tx, id ?? '', Buffer.from(xml)));
const tag = (definition: string, rebuilds?: number) =>
  api.put('tag', 50, { id: 50, name: 'rule', definition, comment: '', kernel_opts: '', ...(rebuilds === undefined ? {} : { rebuilds }) });
const members = async () =>
  (await api.database.db.selectFrom('machine_tag').select('system_id').where('tag_id', '=', 50).orderBy('system_id').execute()).map(
    (row) => row.system_id,
  );
const findings = async () =>
  (
    await api.database.db.selectFrom('finding').select('text').where('kind', '=', 'tag_not_judged').where('resolved', 'is', null).execute()
  ).map((row) => row.text);
const events = async () =>
  (
    await api.database.db
      .selectFrom('event' as never)
      .select('id' as never)
      .where('type' as never, '=', 'tags_changed' as never)
      .execute()
  ).length;
const care = (killPoint?: (name: string) => void) =>
  careForTags({ database: api.database, global: api.global, judge, ...(killPoint ? { killPoint } : {}) });

beforeEach(async () => {
  const { db } = api.database;
  for (const table of ['machine_tag', 'machine_hardware', 'tag_judgement', 'finding'] as const) await db.deleteFrom(table).execute();
  await report(ids[0], lshw('Acme'));
  await report(ids[1], lshw('Other'));
  await report(ids[44], lshw('Acme'));
});

test('all machines are judged once, over several pages; those without documents by an empty list', async () => {
  tag('//vendor="Acme"');
  expect(await care()).toBeGreaterThan(0);
  expect(await members()).toEqual([ids[0], ids[44]]);
  await care();
  const before = await events();
  expect(await care()).toBe(0);
  expect(await events()).toBe(before);
  tag('not(//node)');
  await care();
  expect(await members()).toHaveLength(42);
});

test('what was put on by hand and does not match is taken off; with an empty definition nothing is touched', async () => {
  await api.database.db
    .insertInto('machine_tag')
    .values({ system_id: ids[1] ?? '', tag_id: 50 })
    .execute();
  tag('//vendor="Acme"');
  await care();
  expect(await members()).toEqual([ids[0], ids[44]]);
  tag('');
  await care();
  expect(await members()).toEqual([ids[0], ids[44]]);
  expect(await api.database.db.selectFrom('tag_judgement').selectAll().execute()).toEqual([]);
});

test('a machine whose documents change is judged again, and only it', async () => {
  tag('//vendor="Acme"');
  await care();
  await care();
  // Put on by hand meanwhile: stays until all are judged again.
  await api.database.db
    .insertInto('machine_tag')
    .values({ system_id: ids[7] ?? '', tag_id: 50 })
    .execute();
  await report(ids[0], lshw('Third'));
  await report(ids[5], lshw('Acme'));
  expect(await care()).toBe(2);
  expect(await members()).toEqual([ids[5], ids[7], ids[44]]);
  tag('//vendor="Acme"', 1);
  await care();
  expect(await members()).toEqual([ids[5], ids[44]]);
});

test('the same document again is nothing new', async () => {
  tag('//vendor="Acme"');
  await care();
  await care();
  await report(ids[0], lshw('Acme'));
  expect(await care()).toBe(0);
});

const slow = '//*[count(//*[count(//*[. = //*]) > 1]) > 1]';
const large = `<list>${'<node class="x"><vendor>v</vendor></node>'.repeat(500)}</list>`;

test('a definition that takes too long leaves the tag as it was, and is a finding until it is another one', async () => {
  tag('//vendor="Acme"');
  await care();
  await report(ids[30], large);
  tag(slow);
  await care();
  expect(await members()).toEqual([ids[0], ids[44]]);
  expect(await findings()).toEqual([expect.stringMatching(/tag rule cannot be judged here: it took more than/)]);
  // Not tried again and again.
  await care();
  expect(await care()).toBe(0);
  tag('//vendor="Other"');
  await care();
  expect(await members()).toEqual([ids[1]]);
  expect(await findings()).toEqual([]);
});

test('what met a busy moment is tried again, in its time', async () => {
  tag('//vendor="Acme"');
  await care();
  await report(ids[30], large);
  tag(slow);
  await care();
  expect(await findings()).toHaveLength(1);
  // The machine that was in the way reports something shorter: nobody has to touch the tag.
  await report(ids[30], '<list/>');
  expect(await findings()).toHaveLength(1);
  await api.database.db
    .updateTable('tag_judgement')
    .set({ retry_at: new Date(Date.now() - 1000) })
    .execute();
  await care();
  expect(await findings()).toEqual([]);
  expect((await api.database.db.selectFrom('tag_judgement').select(['problem', 'retry_at']).execute())[0]).toEqual({
    problem: null,
    retry_at: null,
  });
});

test('a machine that makes a good definition slow leaves the tag on it as it was', async () => {
  tag(slow);
  await care();
  const before = await members();
  await report(ids[2], large);
  await care();
  expect(await members()).toEqual(before);
  expect(await findings()).toHaveLength(1);
  expect(await api.database.db.selectFrom('machine_hardware').select('system_id').where('judged', '=', false).execute()).toEqual([]);
});

test.each(['tags:page', 'tags:after-effect'])('killed at %s: the tag is whole before and whole after', async (point) => {
  tag('//vendor="Acme"');
  let left = 2;
  const dies = (name: string) => {
    if (name === point && (left -= 1) <= (point === 'tags:page' ? 0 : 1)) throw new Error('killed');
  };
  await expect(care(dies)).rejects.toThrow('killed');
  expect(await members()).toEqual([]);
  // The dead one still has the lease: another process leaves it alone until it is over.
  await care();
  expect(await members()).toEqual([]);
  await api.database.db
    .updateTable('tag_judgement')
    .set({ lease_until: new Date(0) })
    .execute();
  await care();
  expect(await members()).toEqual([ids[0], ids[44]]);
});

test('a machine that changes while all are judged is judged by what it is now', async () => {
  tag('//vendor="Acme"');
  await care();
  await care();
  tag('//vendor="Acme" or //vendor="None"');
  let changed = false;
  const dies = (name: string) => {
    if (name !== 'tags:page' || changed) return;
    changed = true;
    void report(ids[0], lshw('Third'));
  };
  await care(dies);
  for (let round = 0; round < 3; round += 1) await care();
  expect(await members()).toEqual([ids[44]]);
});

test('documents that cannot be read are a finding of their machine, which keeps its tags; all others are judged', async () => {
  tag('//vendor="Acme"');
  await care();
  await report(ids[0], '<a');
  await care();
  expect(await members()).toEqual([ids[0], ids[44]]);
  expect(await findings()).toEqual([]);
  const { db } = api.database;
  const unreadable = await db.selectFrom('finding').select('system_id').where('kind', '=', 'unreadable_hardware').execute();
  expect(unreadable).toEqual([{ system_id: ids[0] }]);
  await report(ids[1], lshw('Acme'));
  await care();
  expect(await members()).toEqual([ids[0], ids[1], ids[44]]);
  tag('//vendor="Other"');
  await care();
  expect(await members()).toEqual([ids[0]]);
  expect(await findings()).toEqual([]);
  expect(await care()).toBe(0);
});
