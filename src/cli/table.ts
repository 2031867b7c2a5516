/** What a reply looks like on a terminal: a table for a list, a line a field for one thing. Pure. */

/** Columns by resource; each is a path into the item. What is not here shows its plain fields. */
const columnsOf: Readonly<Record<string, readonly string[]>> = {
  Machines: ['system_id', 'hostname', 'status_name', 'power_state', 'owner', 'cell'],
  Machine: [
    'system_id',
    'hostname',
    'status_name',
    'power_state',
    'owner',
    'cell',
    'architecture',
    'cpu_count',
    'memory',
    'osystem',
    'distro_series',
    'zone.name',
    'pool.name',
    'ip_addresses',
    'operation.kind',
    'operation.note',
    'resource_uri',
  ],
  Cells: ['number', 'name', 'state', 'answering', 'lag', 'version', 'url'],
  Fronts: ['number', 'name', 'url', 'version', 'seen'],
  Users: ['username', 'email', 'is_superuser'],
  Operations: ['id', 'system_id', 'hostname', 'kind', 'outcome', 'step', 'note', 'started'],
  Events: ['created', 'level', 'hostname', 'type', 'description'],
  BootResources: ['id', 'name', 'architecture', 'type'],
  Interfaces: ['id', 'name', 'type', 'mac_address', 'enabled'],
  BlockDevices: ['id', 'name', 'model', 'serial', 'size'],
  Findings: ['id', 'severity', 'kind', 'subject', 'opened'],
  Subnets: ['id', 'name', 'cidr', 'gateway_ip'],
};

/** Wider cells are cut. */
const widest = 60;

function at(item: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, key) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined),
      item,
    );
}

function show(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' && !Number.isInteger(value)) return value.toFixed(1);
  const text =
    Array.isArray(value) && value.every((one) => typeof one !== 'object')
      ? value.join(' ')
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value);
  return shown(text);
}

/** Control characters of somebody's text would move the cursor of somebody else's terminal. */
export function shown(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');
}

function isPlain(value: unknown): boolean {
  return value === null || typeof value !== 'object';
}

/** The columns of a list of this resource. */
function chooseColumns(handler: string, items: readonly Record<string, unknown>[]): readonly string[] {
  const known = columnsOf[handler];
  if (known) return known.filter((path) => items.some((item) => at(item, path) !== undefined));
  return Object.entries(items[0] ?? {})
    .flatMap(([name, value]) => (isPlain(value) && name !== 'resource_uri' ? [name] : []))
    .slice(0, 8);
}

/** Rows under a head, columns as wide as they must be. */
export function renderTable(handler: string, items: readonly Record<string, unknown>[]): string {
  if (items.length === 0) return 'None.\n';
  const columns = chooseColumns(handler, items);
  const head = columns.map((path) => path.replace(/_name$|\.name$/, '').replace(/_state$/, ''));
  const rows = [head, ...items.map((item) => columns.map((path) => show(at(item, path)).slice(0, widest)))];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** A reply as a person reads it. `handler`: the resource it came from. */
export function renderReply(handler: string, reply: unknown): string {
  if (reply === null || reply === undefined) return 'Done.\n';
  const list = Array.isArray(reply) ? reply : Array.isArray(at(reply, 'events')) ? (at(reply, 'events') as unknown[]) : undefined;
  if (list?.every((one) => typeof one === 'object' && one !== null)) return renderTable(handler, list as Record<string, unknown>[]);
  if (list) return list.map((one) => `${show(one)}\n`).join('');
  if (typeof reply !== 'object') return `${show(reply)}\n`;
  const paths = columnsOf[handler === 'Machines' ? 'Machine' : handler] ?? Object.keys(reply);
  const pairs = paths.flatMap((path) => (at(reply, path) === undefined ? [] : [[path, show(at(reply, path))] as const]));
  const width = Math.max(0, ...pairs.map(([path]) => path.length));
  return pairs.map(([path, text]) => `${path.padEnd(width)}  ${text}`.trimEnd() + '\n').join('');
}
