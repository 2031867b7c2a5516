/** Names for machines that nobody has named: two words from a machine's system_id, so that drawing one needs no memory. */

const first =
  'amber brave brisk calm clear clever cosy crisp dapper eager early fair fleet fond frank fresh gentle glad golden grand happy hardy humble jolly keen kind lively loyal lucky merry mild modest neat nimble noble patient plain polite proud quick quiet rapid ready shiny sober solid steady sturdy sunny swift tidy trusty upbeat vivid warm wise witty young zesty ample bold civil deft'.split(
    ' ',
  );
const second =
  'alder ash aspen badger beech birch bison cedar crane curlew dove eagle egret elk elm falcon ferret finch fir gannet grouse hare hawk hazel heron ibis jay kestrel kite lark larch linnet lynx maple marten merlin moose newt oak osprey otter owl pine plover poplar puffin quail raven robin rook rowan seal shrew snipe spruce stoat stork swan swift teal tern thrush vole willow wren'.split(
    ' ',
  );

/** `swift-otter`; from the second try on with a number behind, as names are unique in a domain. */
export function hostNameFor(systemId: string, attempt: number): string {
  let hash = 2166136261;
  for (const letter of systemId) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619) >>> 0;
  const name = `${first[hash % first.length]}-${second[Math.floor(hash / 64) % second.length]}`;
  return attempt === 0 ? name : `${name}-${systemId}`;
}
