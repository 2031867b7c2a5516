/** What a source file imports, exports and reads, by a real parser: strings and comments that look like code are not taken for it. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { parseSync } from 'vite';

export interface SourceFile {
  /** From the root of the checkout, with `/`. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Gone when types are stripped: nothing is loaded. */
  readonly typeOnly: boolean;
}

export interface SourceFacts {
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  readonly hasDefaultExport: boolean;
  /** Only passes on what other files export, or passes on everything of one. */
  readonly isBarrel: boolean;
  readonly readsEnvironment: boolean;
  /** What it says in strings; `…` where a template puts a value in. */
  readonly texts: readonly string[];
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';

function* nodesIn(value: unknown): Generator<Node> {
  if (Array.isArray(value)) {
    for (const item of value) yield* nodesIn(item);
    return;
  }
  if (!isNode(value)) return;
  yield value;
  for (const child of Object.values(value)) if (typeof child === 'object' && child !== null) yield* nodesIn(child);
}

function literal(value: unknown): string | undefined {
  if (!isNode(value)) return undefined;
  if (value.type === 'TSLiteralType') return literal(value['literal']);
  return typeof value['value'] === 'string' ? value['value'] : undefined;
}

function textOf(node: Node): string | undefined {
  if (node.type === 'Literal' || node.type === 'StringLiteral') return typeof node['value'] === 'string' ? node['value'] : undefined;
  if (node.type === 'JSXText') return String(node['value']);
  if (node.type !== 'TemplateLiteral' || !Array.isArray(node['quasis'])) return undefined;
  return node['quasis'].map((part: { value?: { cooked?: string } }) => part.value?.cooked ?? '').join('…');
}

const named = (value: unknown, name: string): boolean => isNode(value) && (value['name'] === name || value['value'] === name);

/** `process.env`, `globalThis.process.env`, `const { env } = process` and `import { env } from 'node:process'`. */
function readsEnvironment(node: Node): boolean {
  const isProcess = (value: unknown) => named(value, 'process') || (isNode(value) && named(value['property'], 'process'));
  switch (node.type) {
    case 'MemberExpression':
      return isProcess(node['object']) && named(node['property'], 'env');
    case 'VariableDeclarator':
      return isProcess(node['init']) && [...nodesIn(node['id'])].some((part) => part.type === 'Property' && named(part['key'], 'env'));
    case 'ImportDeclaration':
      return (
        /^(node:)?process$/.test(literal(node['source']) ?? '') &&
        [...nodesIn(node['specifiers'])].some((part) => named(part['imported'], 'env'))
      );
    default:
      return false;
  }
}

/** Reads one file's facts. Throws where it cannot be parsed, with its path. */
export function factsOf(file: SourceFile): SourceFacts {
  const { program, errors } = parseSync(file.path, file.text);
  if (errors[0] !== undefined) throw new Error(`${file.path}: ${errors[0].message}`);
  const lineAt = (offset: number) => file.text.slice(0, offset).split('\n').length;
  const imports: Import[] = [];
  let hasDefaultExport = false;
  let environment = false;
  const texts: string[] = [];
  for (const node of nodesIn(program)) {
    environment ||= readsEnvironment(node);
    const text = textOf(node);
    if (text !== undefined) texts.push(text);
    const specifier = literal(node['source']) ?? (node.type === 'TSImportType' ? literal(node['argument']) : undefined);
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration':
      case 'ImportExpression':
      case 'TSImportType': {
        const typeOnly = node.type === 'TSImportType' || node['importKind'] === 'type' || node['exportKind'] === 'type';
        if (specifier !== undefined) imports.push({ specifier, line: lineAt(node.start), typeOnly });
        if (node.type === 'ExportNamedDeclaration')
          hasDefaultExport ||= [...nodesIn(node['specifiers'])].some((part) => named(part['exported'], 'default'));
        break;
      }
      case 'ExportDefaultDeclaration':
        hasDefaultExport = true;
        break;
      default:
    }
  }
  const statements = (program.body as unknown as Node[]).filter((node) => node.type !== 'ImportDeclaration');
  const passesOn = (node: Node) =>
    node.type === 'ExportAllDeclaration' || (node.type === 'ExportNamedDeclaration' && isNode(node['source']));
  const isBarrel = statements.some((node) => node.type === 'ExportAllDeclaration') || (statements.length > 0 && statements.every(passesOn));
  return {
    path: file.path,
    lines: file.text.trimEnd().split('\n').length,
    imports,
    hasDefaultExport,
    isBarrel,
    readsEnvironment: environment,
    texts,
  };
}

/** The path that an import leads to, from the root of the checkout; undefined for packages and Node's own modules. */
export function targetOf(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : undefined;
}

/** Every source file below some folders of the checkout. */
export function readSources(root: string, folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|tsx|mts|mjs|js)$/.test(entry.name) && !/node_modules|\/dist(\/|$)/.test(entry.parentPath))
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted()
      .map((path) => ({ path: path.slice(root.length + 1), text: readFileSync(path, 'utf8') })),
  );
}
