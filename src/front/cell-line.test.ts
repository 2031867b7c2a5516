/** The lines to cells: retries within their budget, breakers, pools of cells that moved, and HTTPS. Against real sockets. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ownTls } from '../global/certificate.ts';
import { generateSigningKey } from '../global/signing-key.ts';
import { jsonOf } from './answers.ts';
import { breaker } from './breaker.ts';
import { openCellLine, type CellLine, type CellLineOptions } from './cell-line.ts';
import type { CellEntry } from './cell-registry.ts';
import { retryBudget } from './retry-budget.ts';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

const ok = (_: IncomingMessage, response: ServerResponse): void => void response.end('{}');

async function listen(server: Server, scheme = 'http'): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const entry = (url: string, number = 1): CellEntry => ({ name: `c${number}`, number, url, out: false, drained: false });

function lineTo(cells: () => readonly CellEntry[], options: Partial<CellLineOptions> = {}): CellLine {
  const line = openCellLine({ connections: 4, retries: 0.1, cells, onBreaker: () => undefined, probeMs: 20, ...options });
  open.push(async () => line[Symbol.asyncDispose]());
  return line;
}

const get = (line: CellLine, cell: CellEntry, method = 'GET', ms = 1_000, stream = false) =>
  line.send(cell, { method, path: '/', headers: {}, body: undefined, stream }, { ms, signal: new AbortController().signal });

describe('HTTPS', () => {
  test('a cell behind TLS is reached when its authority is known, and absent when it is not', async () => {
    const tls = ownTls(generateSigningKey(), 'localhost');
    const server = createSecure(tls, ok);
    const cell = entry((await listen(server, 'https')).replace('127.0.0.1', 'localhost'));
    const stranger = lineTo(() => [cell], { retries: 0 });
    await expect(get(stranger, cell)).rejects.toMatchObject({ name: 'Absent' });
    const deceived = lineTo(() => [cell], { retries: 0, ca: ownTls(generateSigningKey(), 'localhost').cert });
    await expect(get(deceived, cell)).rejects.toMatchObject({ name: 'Absent' });
    const knows = lineTo(() => [cell], { ca: tls.cert });
    const reply = await get(knows, cell).catch((error: unknown) => error);
    expect(reply).toMatchObject({ status: 200 });
  });
});

describe('a cell with two processes', () => {
  test('is there as long as one of them is: what was not sent goes to the other, the breaker of a dead one costs no call', async () => {
    const asked: string[] = [];
    const answering = (name: string) => createServer((_, response) => (asked.push(name), response.end('{}')));
    const first = answering('a');
    const urls = [await listen(first), await listen(answering('b'))];
    const cell = entry(urls.join(','));
    const seen: boolean[] = [];
    const line = lineTo(() => [cell], { retries: 0, onBreaker: (_, isOpen) => void seen.push(isOpen) });
    const ask = async (method: string) => {
      const reply = await get(line, cell, method);
      reply.body.resume();
      return reply.status;
    };
    expect(await ask('GET')).toBe(200);
    first.closeAllConnections();
    await new Promise((resolve) => first.close(resolve));
    // Refused connections: a POST may go to the other one too, since nobody has seen it.
    for (let n = 0; n < 10; n += 1) expect(await ask(n % 2 === 0 ? 'POST' : 'GET')).toBe(200);
    expect(asked).toEqual(['a', ...Array.from({ length: 10 }, () => 'b')]);
    expect(line.usable(cell)).toBe(true);
    expect(seen).toEqual([]);
  });
});

describe('many at once', () => {
  test('streams take no connection from calls, and have a bound of their own that says so', async () => {
    let streams = 0;
    const server = createServer((_, response) => {
      if (streams >= 3) return void response.end('{}');
      streams += 1;
      response.write(': here\n\n');
    });
    const cell = entry(await listen(server));
    const line = lineTo(() => [cell], { connections: 1, streams: 3, retries: 0 });
    const open3 = await Promise.all([1, 2, 3].map(() => get(line, cell, 'GET', 1_000, true)));
    expect(open3.map(({ status }) => status)).toEqual([200, 200, 200]);
    for (let n = 0; n < 5; n += 1) (await get(line, cell, n % 2 === 0 ? 'GET' : 'POST')).body.resume();
    await expect(get(line, cell, 'GET', 1_000, true)).rejects.toMatchObject({
      code: 'cell_absent',
      message: expect.stringContaining('3 callers'),
    });
    expect(line.usable(cell)).toBe(true);
    open3[0]!.body.destroy();
    await expect.poll(async () => (await get(line, cell, 'GET', 1_000, true).catch(() => undefined))?.status).toBe(200);
  });

  test('a call that found no free connection was never sent, and says nothing of the cell', async () => {
    const held: ServerResponse[] = [];
    const server = createServer((_, response) => {
      held.push(response);
      response.write('[');
    });
    const cell = entry(await listen(server));
    const seen: boolean[] = [];
    const line = lineTo(() => [cell], { connections: 2, retries: 0, onBreaker: (_, isOpen) => void seen.push(isOpen) });
    // Two lists whose readers are slow.
    const slow = await Promise.all([get(line, cell), get(line, cell)]);
    for (let n = 0; n < 6; n += 1) await expect(get(line, cell, 'POST', 20)).rejects.toMatchObject({ name: 'Absent', sent: false });
    expect([held.length, line.usable(cell), seen]).toEqual([2, true, []]);
    const waits = get(line, cell);
    for (const response of held.slice(0, 2)) response.end(']');
    for (const reply of slow) reply.body.resume();
    expect((await waits).status).toBe(200);
  });

  test('a reply that nobody reads gives its connection back', async () => {
    const cell = entry(await listen(createServer((_, response) => void response.writeHead(204).end())));
    const line = lineTo(() => [cell], { connections: 1, retries: 0 });
    for (let n = 0; n < 5; n += 1) expect((await get(line, cell)).status).toBe(204);
  });

  test('a body that stalls is late by the deadline of the call', async () => {
    const cell = entry(await listen(createServer((_, response) => void response.write('{'))));
    const line = lineTo(() => [cell], { connections: 1, retries: 0 });
    await expect(get(line, cell, 'GET', 50).then(jsonOf)).rejects.toMatchObject({ name: 'Absent', sent: true });
  });
});

describe('a cell that moves', () => {
  test('gets new connections, the old ones close, and the breaker of the old address is forgotten', async () => {
    const sockets = new Set<unknown>();
    const old = createServer(ok).on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    let cell = entry(await listen(old));
    const line = lineTo(() => [cell]);
    (await get(line, cell)).body.resume();
    expect(sockets.size).toBe(1);
    cell = entry(await listen(createServer(ok)));
    expect((await get(line, cell)).status).toBe(200);
    await expect.poll(() => sockets.size).toBe(0);
  });
});

describe('a cell that fails', () => {
  test('is asked three times, then not at all, and again when a probe was answered', async () => {
    let asked = 0;
    let well = false;
    const server = createServer((request, response) => {
      if (request.url !== '/readyz') asked += 1;
      if (well) ok(request, response);
      else request.socket.destroy();
    });
    const cell = entry(await listen(server));
    const line = lineTo(() => [cell], { retries: 0 });
    for (let n = 0; n < 10; n += 1) await expect(get(line, cell, 'POST')).rejects.toMatchObject({ name: 'Absent' });
    expect([asked, line.usable(cell)]).toEqual([3, false]);
    well = true;
    await expect.poll(() => line.usable(cell)).toBe(true);
    expect((await get(line, cell)).status).toBe(200);
  });

  test('a POST that may have arrived is never sent twice; a GET once more, while the budget lasts', async () => {
    let asked = 0;
    const server = createServer((request) => {
      if (request.url !== '/readyz') asked += 1;
      request.socket.destroy();
    });
    const url = await listen(server);
    const line = lineTo(() => [], { retries: 0.1, probeMs: 60_000 });
    await expect(get(line, entry(url), 'POST')).rejects.toMatchObject({ sent: true });
    expect(asked).toBe(1);
    await expect(get(line, entry(url), 'GET')).rejects.toMatchObject({ sent: true });
    expect(asked).toBe(3);
  });

  test('retries are a share of all calls, whatever fails; twenty at most are saved up', () => {
    const budget = retryBudget(0.1);
    let spent = 0;
    for (let call = 0; call < 1_000; call += 1) {
      budget.earn();
      if (budget.spend()) spent += 1;
    }
    expect(spent).toBeGreaterThanOrEqual(100);
    expect(spent).toBeLessThanOrEqual(111);
    for (let call = 0; call < 10_000; call += 1) budget.earn();
    spent = 0;
    while (budget.spend()) spent += 1;
    expect(spent).toBe(20);
    expect(retryBudget(0).spend()).toBe(false);
  });

  test('one success closes a breaker', () => {
    const one = breaker(2);
    one.failed();
    one.succeeded();
    one.failed();
    expect(one.open()).toBe(false);
    one.failed();
    expect(one.open()).toBe(true);
  });
});
