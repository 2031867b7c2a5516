// Definitions and documents of people and machines who mean no good: the judge says what is wrong, and the program's own loop goes on.
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { refuseDefinition, TagJudge } from './tag-judge.ts';

const judge = new TagJudge(1000);
afterAll(() => judge[Symbol.asyncDispose]());

const lshw = `<?xml version="1.0" standalone="yes" ?>
<!-- made for this test -->
<list>
<node id="box" class="system" handle="DMI:0001"><vendor>Acme</vendor><product>R1</product>
  <node id="display" class="display" handle="PCI:0000:01:00.0"><clock units="Hz">33000000</clock><vendor>Pixels</vendor></node>
</node>
</list>`;
const lldp = '<lldp label="LLDP neighbors"><interface name="eth0"><chassis><name>switch-7</name></chassis></interface></lldp>';

async function verdicts(documents: { lshw: string | null; lldp: string | null }, ...definitions: string[]) {
  const answer = await judge.judge(documents, definitions);
  return 'unreadable' in answer ? answer.unreadable : answer.verdicts.map((one) => one.problem ?? one.matches);
}

test.each([
  ['//node[@id="display"]', true],
  ['//node[@class="system"]/vendor = "Acme"', true],
  ['/list/node/vendor = "Acme"', true],
  ['//lshw:node[@class="system"]/lshw:vendor = "Acme"', true],
  ['//node[@id="display"]/clock > 1000000', true],
  ['//node[@id="display"]/clock > 100000000', false],
  ['//lldp:chassis/lldp:name = "switch-7"', true],
  ['//lldp:chassis/lldp:name = "switch-8"', false],
  ['//chassis', false],
  ['count(//lshw:node)', true],
  ['count(//lshw:nothing)', false],
  ['string(//product)', true],
  ['not(//node[@id="display"])', false],
])('%s: %s', async (definition, expected) => {
  expect(await verdicts({ lshw, lldp }, definition)).toEqual([expected]);
});

test('a machine that reported nothing is judged by an empty list', async () => {
  expect(await verdicts({ lshw: null, lldp: null }, '//node', 'not(//node)', '/list')).toEqual([false, true, true]);
});

test.each([
  ['an entity bomb', `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><list>&b;</list>`, /document type/],
  ['an outside entity', `<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><list>&a;</list>`, /document type/],
  ['an entity that nobody declared', '<list>&nope;</list>', /nope/],
  ['half a document', '<list><node', /.+/],
  ['crossed elements', '<a><b></a></b>', /.+/],
  ['nothing', '', /.+/],
  ['no XML', 'lshw: command not found\n', /.+/],
  ['two roots', '<a/><b/>', /.+/],
  ['a ladder', `${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`, /nested/],
])('%s is refused', async (_, xml, why) => {
  expect(await judge.refuseXml(xml)).toMatch(why);
});

test.each([
  ['a broken one', '//node['],
  ['another language', 'select * from machine'],
  ['a prefix that is not there', '//zz:node'],
  ['a function that is not there', '//node[evil()]'],
  ['a variable', '//node[@id=$x]'],
  ['document()', 'document("file:///etc/passwd")'],
  ['parentheses without end', `${'('.repeat(9000)}`],
])('%s is no definition', async (_, definition) => {
  expect(await refuseDefinition(definition)).toMatch(/.+/);
});

const big = `<list>${'<node class="x"><vendor>v</vendor></node>'.repeat(600)}</list>`;

test.each([
  ['each node against each', '//*[count(//*[count(//*[. = //*]) > 1]) > 1]'],
  ['every node of every node', `//node()[count(//node()) > 0][//node()[//node()[//node()[@none]]]]`],
])('%s takes too long: it alone, and others go on', async (_, hostile) => {
  await using impatient = new TagJudge(1000);
  let ticks = 0;
  const clock = setInterval(() => (ticks += 1), 20);
  const answer = await impatient.judge({ lshw: big, lldp: null }, ['//node', hostile, '//none']);
  clearInterval(clock);
  if ('unreadable' in answer) throw new Error(answer.unreadable);
  expect(answer.verdicts[0]).toEqual({ matches: true });
  expect(answer.verdicts[1]?.problem).toMatch(/took/);
  expect(answer.verdicts[2]).toEqual({ matches: false });
  // The loop of this thread turned all the while.
  expect(ticks).toBeGreaterThan(5);
});

test.each([
  ['a huge union', `//node${'|//node'.repeat(1200)}`],
  ['deep parentheses', `${'('.repeat(4500)}1${')'.repeat(4500)}`],
  ['many steps', `//node()${'/..//node()'.repeat(800)}`],
  ['many predicates', `//node${'[.]'.repeat(3000)}`],
])('%s gets an answer, whichever', async (_, definition) => {
  const [verdict] = await verdicts({ lshw, lldp: null }, definition);
  expect(['string', 'boolean']).toContain(typeof verdict);
  expect(await verdicts({ lshw, lldp: null }, '//node')).toEqual([true]);
});

test('any documents and definitions get an answer', async () => {
  const piece = fc.constantFrom(
    '//',
    'node',
    '[',
    ']',
    '(',
    ')',
    '@id',
    '=',
    '"x"',
    '|',
    'lshw:',
    '..',
    'count',
    '*',
    '1',
    ' and ',
    '<',
    '&',
  );
  const definition = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 30 }).map((parts) => parts.join('')),
  );
  const tag = fc.constantFrom(
    '<list>',
    '</list>',
    '<node>',
    '</node>',
    '<a b="c"/>',
    '&amp;',
    '&x;',
    'text',
    '<![CDATA[',
    ']]>',
    '<!--',
    '-->',
  );
  const xml = fc.oneof(
    fc.string(),
    fc.array(tag, { maxLength: 30 }).map((parts) => parts.join('')),
  );
  await fc.assert(
    fc.asyncProperty(xml, definition, async (text, one) => {
      const answer = await judge.judge({ lshw: text, lldp: null }, [one, '//node']);
      if ('unreadable' in answer) expect(answer.unreadable).not.toBe('');
      else expect(answer.verdicts).toHaveLength(2);
    }),
    { numRuns: 100 },
  );
});
