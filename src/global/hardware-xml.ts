/** XML that machines report and XPath that people write, both hostile. Runs in a worker only (tag-judge.ts): neither is bounded in time. */
import { DOMParser, type Document, type Element, type Node } from '@xmldom/xmldom';
import * as xpath from 'xpath';

/** Levels of elements; lshw has about ten. Recursion over what is deeper would end the worker. */
const deepest = 100;

/** What definitions are judged by; null where a machine never reported it. */
export interface HardwareDocuments {
  readonly lshw: string | null;
  readonly lldp: string | null;
}

const namespaces = { lshw: 'lshw', lldp: 'lldp' } as const;

/** @throws Error that says what is wrong. */
export function parseXml(text: string): Element {
  if (/<!\s*(doctype|entity)/i.test(text)) throw new Error('it has a document type or entities, which are refused');
  const parser = new DOMParser({
    onError: (_level, message) => {
      throw new Error(message.slice(0, 200));
    },
  });
  const root = parser.parseFromString(text, 'text/xml').documentElement;
  if (!root) throw new Error('it has no element');
  refuseDeep(root);
  return root;
}

function refuseDeep(root: Element): void {
  let level: Element[] = [root];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > deepest) throw new Error(`its elements are nested deeper than ${deepest}`);
    level = level.flatMap((element) => [...element.childNodes].filter((node): node is Element => node.nodeType === 1));
  }
}

/**
 * The document that MAAS's definitions are written for: `<list>` with what lshw found as it is (`//node`), and beside it once more under
 * `lshw:`, and what lldp heard under `lldp:`.
 */
export function mergedDocument({ lshw, lldp }: HardwareDocuments): Document {
  const document = new DOMParser().parseFromString('<list/>', 'text/xml');
  const list = document.documentElement;
  if (!list) throw new Error('a document without a root');
  if (lshw !== null) {
    const root = parseXml(lshw);
    // lshw writes <list> only around more than one machine or when asked by newer versions.
    const children: Node[] = root.localName === 'list' ? [...root.childNodes] : [root];
    for (const child of children) list.appendChild(document.importNode(child, true));
    list.appendChild(inNamespace(document, root, 'lshw'));
  }
  if (lldp !== null) list.appendChild(inNamespace(document, parseXml(lldp), 'lldp'));
  return document;
}

function inNamespace(document: Document, from: Element, prefix: keyof typeof namespaces): Element {
  const element = document.createElementNS(namespaces[prefix], `${prefix}:${from.localName ?? from.nodeName}`);
  for (const { name, value } of from.attributes) if (!name.startsWith('xmlns')) element.setAttribute(name, value);
  for (const child of from.childNodes) {
    if (child.nodeType === 1) element.appendChild(inNamespace(document, child as Element, prefix));
    else if (child.nodeType === 3 || child.nodeType === 4) element.appendChild(document.createTextNode(child.nodeValue ?? ''));
  }
  return element;
}

/** What the library has and its declarations leave out. */
interface XPathLibrary {
  parse(expression: string): {
    evaluateBoolean(options: { readonly node: Document; readonly namespaces: Readonly<Record<string, string>> }): boolean;
  };
}

/** Does the definition hold? A set of nodes, a text or a number counts as XPath's `boolean()` has it. @throws Error for a wrong definition. */
export function holds(definition: string, document: Document): boolean {
  return (xpath as unknown as XPathLibrary).parse(definition).evaluateBoolean({ node: document, namespaces });
}
