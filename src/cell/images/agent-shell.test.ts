/** The agent's shell functions, under dash and busybox sh, on a made-up /sys and on plain files as disks. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const agent = fileURLToPath(new URL('../../../agent', import.meta.url));
const shells = [['dash'], ...(existsSync('/usr/bin/busybox') || existsSync('/bin/busybox') ? [['busybox', 'sh']] : [])] as const;
const mib = 1024 * 1024;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-agent-'));
  for (const each of ['run', 'sys/block', 'sys/class/net', 'dev', 'proc']) await mkdir(join(folder, each), { recursive: true });
  await writeFile(join(folder, 'proc/uptime'), '5.25 1.00\n');
  await writeFile(join(folder, 'proc/mounts'), '');
  await writeFile(
    join(folder, 'proc/cmdline'),
    'quiet muster_url=http://10.0.0.1:5240 BOOTIF=01-52-54-00-AA-00-01 muster_purpose=deploy\n',
  );
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run a script after sourcing the agent's functions; `$1`… are `args`. */
function run(shell: readonly string[], script: string, args: readonly string[] = [], sources = 'steps.sh'): Promise<Ran> {
  const [program = 'dash', ...before] = shell;
  const env = {
    ...process.env,
    MUSTER_HOME: agent,
    MUSTER_RUN: join(folder, 'run'),
    MUSTER_SYS: join(folder, 'sys'),
    MUSTER_DEV: join(folder, 'dev'),
    MUSTER_PROC: join(folder, 'proc'),
  };
  return new Promise((resolve) => {
    const sourced = sources
      .split(' ')
      .map((name) => `. "$MUSTER_HOME/${name}"`)
      .join('\n');
    execFile(program, [...before, '-euc', `${sourced}\n${script}`, 'test', ...args], { env, timeout: 15_000 }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    );
  });
}

async function fakeDisk(name: string, facts: { serial?: string; wwn?: string; size: number; partitions?: number }): Promise<string> {
  const at = join(folder, 'sys/block', name);
  await mkdir(join(at, 'queue'), { recursive: true });
  await mkdir(join(at, 'device'), { recursive: true });
  await writeFile(join(at, 'size'), `${facts.size / 512}\n`);
  if (facts.serial) await writeFile(join(at, 'serial'), facts.serial);
  if (facts.wwn) await writeFile(join(at, 'wwid'), `${facts.wwn}\n`);
  const image = join(folder, 'dev', name);
  await writeFile(image, Buffer.alloc(facts.size));
  return image;
}

describe.each(shells)('agent under %s %s', (...words) => {
  const shell = words.filter((word) => word !== undefined);

  test('every file of the agent is a script that this shell can read', async () => {
    const [program = 'dash', ...before] = shell;
    const scripts = (await readdir(agent)).filter((name) => name !== 'modules');
    expect(scripts).toContain('steps.sh');
    for (const name of scripts) execFileSync(program, [...before, '-n', join(agent, name)]);
  });

  test('json_string gives JSON for any text', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !text.includes('\0')),
        async (text) => {
          const { stdout } = await run(shell, 'json_string "$1"', [text], 'console.sh');
          expect(JSON.parse(stdout)).toBe(
            text
              .replace(/\n+$/, '')
              .replaceAll(/[\n\t]/g, ' ')
              .split('')
              .filter((unit) => unit >= ' ' && unit !== '\u007f')
              .join(''),
          );
        },
      ),
      { numRuns: 25 },
    );
  });

  test('url_encode is undone by a form parser', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !text.includes('\0')),
        async (text) => {
          const { stdout } = await run(shell, 'url_encode "$1"', [text], 'console.sh');
          expect(stdout).toMatch(/^[A-Za-z0-9._~%-]*$/);
          expect(decodeURIComponent(stdout)).toBe(text);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('arguments and the boot card come from the command line', async () => {
    const { stdout } = await run(
      shell,
      'argument muster_url; argument muster_purpose; argument nothing; boot_mac',
      [],
      'console.sh network.sh',
    );
    expect(stdout).toBe('http://10.0.0.1:5240\ndeploy\n52:54:00:aa:00:01\n');
  });

  test('an answer is taken in without running what is in it', async () => {
    await writeFile(
      join(folder, 'run/reply'),
      `ACTION='it'\\''s'\nEVIL='x'; touch ${folder}/owned; A='y'\nTOKEN_KEY=$(touch ${folder}/owned)\nPURPOSE='deploy'\n`,
    );
    const { stdout } = await run(
      shell,
      'read_answer; printf "%s|%s|%s|%s" "$ACTION" "$PURPOSE" "${EVIL-}" "${TOKEN_KEY-}"',
      [],
      'console.sh cell.sh http.sh',
    );
    expect(stdout).toBe("it's|deploy||");
    expect(existsSync(join(folder, 'owned'))).toBe(false);
  });

  test('a disk is found by serial or WWN, and only with the right size', async () => {
    await fakeDisk('vda', { serial: 'ONE', size: 16 * mib });
    await fakeDisk('nvme0n1', { wwn: 'naa.5000c500a1', size: 16 * mib });
    await fakeDisk('loop0', { serial: 'ONE', size: 16 * mib });
    expect((await run(shell, `disk a ONE ${16 * mib}; disk b 0x5000c500a1 ${16 * mib}; echo "$disk_a $disk_b"`)).stdout).toBe(
      `${folder}/dev/vda ${folder}/dev/nvme0n1\n`,
    );
    const wrong = await run(shell, `disk a ONE ${8 * mib}`);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain(`vda is ONE, but has ${16 * mib} bytes`);
    expect(await readFile(join(folder, 'run/failure'), 'utf8')).toContain('no disk is ONE');
    expect((await run(shell, `disk a /dev/vda ${16 * mib}`)).code).toBe(1);
    expect((await run(shell, `disk a '' ${16 * mib}`)).code).toBe(1);
  });

  test('two disks that match are refused', async () => {
    await fakeDisk('sda', { serial: 'SAME', size: 16 * mib });
    await fakeDisk('sdb', { serial: 'SAME', size: 16 * mib });
    const { code, stderr } = await run(shell, `disk a SAME ${16 * mib}`);
    expect(code).toBe(1);
    expect(stderr).toContain('is both sda and sdb');
  });

  test('partitions of disks whose names end in a digit have a p', async () => {
    expect((await run(shell, 'partition /dev/vda 3; partition /dev/nvme0n1 2', [], 'console.sh disks.sh')).stdout).toBe(
      '/dev/vda3\n/dev/nvme0n1p2\n',
    );
  });

  test('a plan names only disks it has found', async () => {
    const { code, stderr } = await run(shell, 'gpt target 1:bios_grub:1MiB 2:root:rest');
    expect(code).toBe(1);
    expect(stderr).toContain("names a disk 'target'");
  });

  test('marker: written at LBA 4095 of 512, NUL-padded, read back; nothing else changes', async () => {
    const image = await fakeDisk('vda', { serial: 'ONE', size: 16 * mib });
    await run(shell, `disk t ONE ${16 * mib}; marker t started c1abcd 12 deploy ${'a'.repeat(64)}`);
    const bytes = await readFile(image);
    const line = `muster c1abcd 12 deploy started ${'a'.repeat(64)}\n`;
    expect(bytes.subarray(4095 * 512, 4096 * 512)).toEqual(Buffer.concat([Buffer.from(line), Buffer.alloc(512 - line.length)]));
    expect(bytes.subarray(0, 4095 * 512).every((byte) => byte === 0) && bytes.subarray(4096 * 512).every((byte) => byte === 0)).toBe(true);
    expect((await run(shell, `read_marker "$1"`, [image])).stdout).toBe(line);
  });

  test('gpt: three partitions, the marker survives, and a second run of the same plan does the same', async () => {
    const image = await fakeDisk('vda', { serial: 'ONE', size: 64 * mib });
    const plan = `disk t ONE ${64 * mib}; marker t started s 1 deploy d; gpt t 1:bios_grub:1MiB 2:esp:20MiB 3:root:rest; read_marker "$disk_t"; sfdisk --json "$disk_t"`;
    for (let round = 0; round < 2; round += 1) {
      const { code, stdout, stderr } = await run(shell, plan);
      expect(code, stderr).toBe(0);
      const [marker = '', ...json] = stdout.split('\n');
      expect(marker).toBe('muster s 1 deploy started d');
      const { partitiontable } = JSON.parse(json.join('\n')) as {
        partitiontable: { partitions: { start: number; size: number; type: string }[] };
      };
      expect(partitiontable.partitions.map(({ start, size, type }) => [start, size, type.slice(0, 8)])).toEqual([
        [2048, 2048, '21686148'],
        [4096, 40960, 'C12A7328'],
        [45056, expect.any(Number), '0FC63DAF'],
      ]);
    }
    expect((await run(shell, `signatures vda`)).stdout).toBe('gpt,pmbr\n');
    expect((await readFile(image)).byteLength).toBe(64 * mib);
  });

  test('filesystem on partition 0: the whole disk, whose partition table is gone; a label of - is none', async () => {
    await fakeDisk('vda', { serial: 'ONE', size: 64 * mib });
    const find = `disk t ONE ${64 * mib}`;
    await run(shell, `${find}; gpt t 1:bios_grub:1MiB 2:root:rest`);
    const uuid = '00000000-0000-4000-8000-000000000001';
    for (const [type, label, given] of [
      ['ext4', 'data', uuid],
      ['ext2', '-', uuid],
      ['vfat', 'EFI', 'ABCD-1234'],
    ]) {
      const { code, stdout, stderr } = await run(shell, `${find}; filesystem t 0 ${type} ${label} ${given}; blkid -p -o export "$disk_t"`);
      expect(code, stderr).toBe(0);
      const found = new Map(stdout.split('\n').map((line): [string, string] => [line.split('=')[0] ?? '', line.split('=')[1] ?? '']));
      expect([found.get('TYPE'), found.get('UUID'), found.get('LABEL')]).toEqual([type, given, label === '-' ? undefined : label]);
      expect((await run(shell, 'signatures vda')).stdout).not.toContain('gpt');
    }
    expect((await run(shell, `${find}; filesystem t 0 zfs - ${uuid}`)).code).toBe(1);
  });

  test('erase quick: first and last MiB zero, marker and signatures gone', async () => {
    const image = await fakeDisk('vda', { serial: 'ONE', size: 64 * mib });
    await run(shell, `disk t ONE ${64 * mib}; gpt t 1:bios_grub:1MiB 3:root:rest; marker t 'done' s 1 deploy d`);
    const { code, stderr } = await run(shell, `disk t ONE ${64 * mib}; erase t quick`);
    expect(code, stderr).toBe(0);
    const bytes = await readFile(image);
    for (const part of [bytes.subarray(0, mib), bytes.subarray(-mib)]) expect(part.every((byte) => byte === 0)).toBe(true);
    expect((await run(shell, 'signatures vda; read_marker "$dev/vda"')).stdout.trim()).toBe('');
    expect((await run(shell, `disk t ONE ${64 * mib}; erase t thoroughly`)).code).toBe(1);
  });

  test('write_file: bytes, mode, folders; bad base64 leaves nothing', async () => {
    const path = join(folder, 'target/etc/x y');
    await run(shell, `write_file "$1" 0640 ${Buffer.from('a\0b\n').toString('base64')}; stat -c %a "$1"`, [path]);
    expect(await readFile(path)).toEqual(Buffer.from('a\0b\n'));
    expect((await run(shell, 'write_file "$1" 0644 "***"', [`${path}2`])).code).toBe(1);
    expect(existsSync(`${path}2`)).toBe(false);
  });

  test('boot order: network entries first, each group in its order', async () => {
    const entries = [
      'BootCurrent: 0003',
      'Timeout: 0 seconds',
      'BootOrder: 0000,0003,0002,0001,0004',
      'Boot0000* UiApp\tFvVol(7cb8bdc9)',
      'Boot0001* UEFI PXEv4 (MAC:525400000001)\tPciRoot(0x0)/Pci(0x2,0x0)/MAC(525400000001,1)/IPv4(0.0.0.0)',
      'Boot0002* UEFI Misc Device\tPciRoot(0x0)/Pci(0x3,0x0)',
      'Boot0003* debian\tHD(2,GPT,aa)/File(\\EFI\\debian\\shimx64.efi)',
      'Boot0004* Network Card\tBBS(128,,0x0)',
    ];
    expect((await run(shell, `printf '%s' "$1" | network_first`, [entries.join('\n')])).stdout).toBe('0001,0004,0000,0003,0002\n');
  });

  test('a call goes to the next address when one does not answer, stays where it was answered, and gives the same body', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end("ACTION='go-on'\n");
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const good = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    // Nobody listens on port 1: the connection is refused at once, as by a host whose process has died.
    const script = `muster_url="$1"; boot_id=b; call /one && cat "$run/reply"; cell; echo; call /two >/dev/null; (call /three >/dev/null); cells`;
    try {
      const { code, stdout, stderr } = await run(shell, script, [`http://127.0.0.1:1,${good}`], 'console.sh cell.sh http.sh');
      expect([code, stdout]).toEqual([0, `ACTION='go-on'\n${good}\n2\n`]);
      expect(asked).toEqual(['/one', '/two', '/three']);
      expect(stderr.match(/now http/g)?.length).toBe(1);
      expect(stderr).not.toContain('again in');
    } finally {
      server.close();
    }
  });

  test('next_cell goes round, and only from the address that failed', async () => {
    const script = `muster_url=http://a,http://b,http://c; cell; next_cell http://a; cell; next_cell http://a; cell; next_cell http://b; cell; next_cell http://c; cell`;
    expect((await run(shell, script, [], 'console.sh cell.sh')).stdout).toBe('http://ahttp://bhttp://bhttp://chttp://a');
    expect((await run(shell, 'muster_url=http://a; next_cell http://a; cell; cells', [], 'console.sh cell.sh')).stdout).toBe('http://a1\n');
  });

  test("the cell's own file is gone on with at another address from the byte reached", async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    const ranges: string[] = [];
    const serverOf = (name: string, cutsAt: number | undefined) =>
      createServer((request, response) => {
        const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
        ranges.push(`${name} ${start}`);
        response.writeHead(206, {
          'content-length': bytes.length - start,
          'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
        });
        if (cutsAt !== undefined) response.write(bytes.subarray(start, cutsAt), () => response.destroy());
        else response.end(bytes.subarray(start));
      });
    const servers = [serverOf('a', 100_000), serverOf('b', undefined)];
    for (const one of servers) await new Promise<void>((done) => one.listen(0, '127.0.0.1', done));
    const urls = servers.map((one) => `http://127.0.0.1:${(one.address() as AddressInfo).port}`).join(',');
    try {
      const { code, stderr } = await run(shell, `muster_url="$1"; stream /boot/file/x >"$2"`, [urls, join(folder, 'got')]);
      expect(code, stderr).toBe(0);
      expect(await readFile(join(folder, 'got'))).toEqual(bytes);
      expect(ranges[0]).toBe('a 0');
      expect(ranges.at(-1)).toMatch(/^b /);
      expect(ranges.length).toBe(2);
      expect(stderr).not.toContain('on in');
    } finally {
      for (const one of servers) one.close();
    }
  });

  test('stream goes on from the byte reached when the connection breaks, and gives up on what is final', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    const ranges: string[] = [];
    const server = createServer((request, response) => {
      if (request.url !== '/file') return void response.writeHead(404).end('no');
      const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      ranges.push(String(start));
      response.writeHead(206, {
        'content-length': bytes.length - start,
        'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
      });
      if (ranges.length < 3) response.write(bytes.subarray(start, start + 100_000), () => response.destroy());
      else response.end(bytes.subarray(start));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const { code, stderr } = await run(shell, `stream "$1/file" >"$2"`, [base, join(folder, 'got')]);
      expect(code, stderr).toBe(0);
      expect(await readFile(join(folder, 'got'))).toEqual(bytes);
      expect(ranges.length).toBe(3);
      const refused = await run(shell, 'stream "$1/other"', [base]);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('HTTP status 404');
    } finally {
      server.close();
    }
  });
});

// Under dash alone, which is the agent's sh: busybox sh takes its own tar, not GNU tar.
test('unpack: the tree as it was, and a wrong digest, a cut archive or a missing file fail the plan', async () => {
  const source = join(folder, 'source');
  await mkdir(join(source, 'etc'), { recursive: true });
  await writeFile(join(source, 'etc/motd'), 'hello\n', { mode: 0o640 });
  await symlink('motd', join(source, 'etc/link'));
  const tree = zstdCompressSync(execFileSync('tar', ['-C', source, '-c', '.']));
  const digest = createHash('sha256').update(tree).digest('hex');
  const cut = tree.subarray(0, tree.length - 20);
  const files: Record<string, Buffer> = { '/tree': tree, '/cut': cut };
  const server = createServer((request, response) => {
    const body = files[request.url ?? ''];
    if (!body) return void response.writeHead(404).end('no');
    response.writeHead(206, { 'content-length': body.length, 'content-range': `bytes 0-${body.length - 1}/${body.length}` }).end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const unpack = async (url: string, sha256: string, into: string) => {
    await mkdir(join(folder, into));
    return run(['dash'], 'unpack "$1" "$2" tar.zst "$3"', [url, sha256, join(folder, into)]);
  };
  try {
    const whole = await unpack(`${base}/tree`, digest, 'whole');
    expect(whole.code, whole.stderr).toBe(0);
    expect(await readFile(join(folder, 'whole/etc/link'), 'utf8')).toBe('hello\n');
    expect((await stat(join(folder, 'whole/etc/motd'))).mode & 0o777).toBe(0o640);
    const wrong = await unpack(`${base}/tree`, 'a'.repeat(64), 'wrong');
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining(`has digest ${digest}, not aaaa`)]);
    const broken = await unpack(`${base}/cut`, createHash('sha256').update(cut).digest('hex'), 'broken');
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining('FAILED: unpack:')]);
    const missing = await unpack(`${base}/missing`, digest, 'missing');
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('HTTP status 404')]);
  } finally {
    server.close();
  }
});
