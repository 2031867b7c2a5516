/**
 * `npm run e2e -- ui`: a person with a browser. A real cell with a simulated rack serves the page; Debian's Chromium signs in by the form,
 * sees machines enlist, and takes one from New to Deployed with the page's own buttons, without the page ever being loaded again.
 * Screenshots of a failure are kept in .muster/e2e/ui.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { pino } from 'pino';
import { Default } from 'typebox/value';
import { preparePage } from '../setup/build-ui.mjs';
import { startCell } from '../src/cell/cell.ts';
import { CellConfig } from '../src/cell/config.ts';
import { ensureRackSubnet } from '../src/cell/db/cell-identity.ts';
import { Authority } from '../src/global/authority.ts';
import { createFirstAdmin } from '../src/global/default-documents.ts';
import { createClient } from '../src/http/client.ts';
import { staticPages } from '../src/http/static-pages.ts';
import { stopSurvivor } from '../src/postgres/embedded-postgres.ts';
import { createFleet, type Fleet } from '../src/sim/fleet.ts';
import { freePort, machinesOf, simulatedImages, until } from './sim-cell.ts';

/** Simulated seconds a second: a deployment takes a few seconds, so that its states can be seen on the page. */
const speed = 60;
const rackSize = 3;
/** Of its own, so that other runs with a rack do not stand in the way. */
const addresses = { machines: '127.46.0.1', bmcs: '127.47.0.1', bmcPort: 0 };
/** How long a person would wait for a machine of this rack. */
const patience = 90_000;
/** No listener but the page's own, no call home. */
const browserArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const root = join(import.meta.dirname, '..');
const began = Date.now();
const say = (text: string): void => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`);
const folder = mkdtempSync(join(tmpdir(), 'muster-ui-'));
const cleanUp = async (): Promise<void> => {
  // There is one to stop only when the cell has not ended well.
  await stopSurvivor(join(folder, 'cell/postgres')).catch(() => undefined);
  rmSync(folder, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
try {
  if (!(await preparePage(root))) throw new Error('the page could not be built');
  await run();
  say('the page does what it says');
} catch (error) {
  console.error(`FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
} finally {
  await cleanUp();
}

async function run(): Promise<void> {
  await using images = await simulatedImages(join(folder, 'images'), 1);
  const port = await freePort();
  const given = { name: 'c1', folder: join(folder, 'cell'), images: images.folder, port, tftp_port: 0, image_sources: [images.source] };
  await using cell = await startCell({
    config: Default(CellConfig, given) as CellConfig,
    version: '0.1.0',
    log: pino({ level: 'error' }, pino.destination(2)),
    pages: await staticPages(join(root, 'dist/ui')),
  });
  await cell.base.database.transaction((tx) => ensureRackSubnet(tx, '127.46.255.254/16', false));
  const admin = await createFirstAdmin(await Authority.open(cell.base.database));
  assert.ok(admin);
  await using fleet = await createFleet({ seed: 'ui', machines: rackSize, cellUrl: cell.url, speed, addresses });
  say(`a cell is up at ${cell.url}`);

  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    // Signals are ours to handle; the browser ends with this process.
    handleSIGINT: false,
    handleSIGTERM: false,
    args: browserArguments,
    env: { ...process.env, HOME: folder },
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 }, colorScheme: 'light' });
    page.setDefaultTimeout(15_000);
    const watched = watch(page, cell.url);
    try {
      await signIn(page, cell.url, admin.username, admin.password);
      await enlist(page, fleet, cell.url, admin.apiKey);
      await allAtOnce(page, cell.url, admin.apiKey);
      await fromNewToDeployed(page);
      await looks(page);
      assert.equal(watched.loads(), 1, 'the page was loaded again on the way');
      await signOut(page);
      watched.judge();
    } catch (error) {
      const kept = join(root, '.muster/e2e/ui');
      mkdirSync(kept, { recursive: true });
      await page.screenshot({ path: join(kept, 'failure.png') }).catch(() => undefined);
      console.error(
        `A screenshot is in ${join(kept, 'failure.png')}; the page says:\n${await page
          .locator('body')
          .innerText()
          .catch(() => '')}`,
      );
      throw error;
    }
  } finally {
    await browser.close();
  }
}

/** Listens to what the page does beside what can be seen. */
function watch(page: Page, origin: string) {
  const outside: string[] = [];
  const complaints: string[] = [];
  let loads = 0;
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) outside.push(request.url());
  });
  page.on('load', () => (loads += 1));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // The browser reports every status over 399: nobody is signed in at first (401), a wrong password is refused (403), and a cell alone
    // has no list of cells (404).
    if (message.type() === 'error' && !/status of 40[134]/.test(message.text())) complaints.push(message.text());
  });
  return {
    loads: () => loads,
    judge: () => {
      assert.deepEqual(outside, [], 'requests that left the origin');
      assert.deepEqual(complaints, [], 'errors on the console');
    },
  };
}

async function signIn(page: Page, url: string, username: string, password: string): Promise<void> {
  // As `muster up` prints it, for clients of the API.
  await page.goto(`${url}/MAAS/`);
  await page.getByLabel('Name').fill(username);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Wrong user name or password.').waitFor();
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: '1 cell' }).waitFor();
  await page.getByRole('listitem', { name: 'Cell c1, answering' }).waitFor();
  const cookies = await page.context().cookies();
  assert.ok(
    cookies.every((cookie) => cookie.httpOnly && cookie.sameSite === 'Strict'),
    JSON.stringify(cookies),
  );
  say('signed in by the form, after a wrong password');
}

/** The rack is switched on while somebody looks at the empty list. Its BMCs are told by the API, as an operator's script would. */
async function enlist(page: Page, fleet: Fleet, url: string, key: string): Promise<void> {
  await page.keyboard.press('g');
  await page.keyboard.press('m');
  await page.getByRole('heading', { name: 'No machines yet.' }).waitFor();
  await page.getByText('live', { exact: true }).waitFor();
  await fleet.start();
  const rows = page.getByRole('table', { name: 'Machines' }).locator('[data-state="new"]');
  await rows.nth(rackSize - 1).waitFor({ timeout: patience });
  say(`${rackSize} machines appeared as New`);
  const client = createClient({ url, key });
  const off = (seen: Awaited<ReturnType<typeof machinesOf>>) => seen.length === rackSize;
  for (const machine of await until(
    'enlistment',
    patience,
    () => machinesOf(client),
    off,
    (seen) => `${seen.length} machines`,
  )) {
    const power = fleet.find(machine.macs[0] ?? '')?.power;
    assert.ok(power, `no simulated machine has ${machine.macs.join(', ')}`);
    await client.call(
      'Machine.update',
      { system_id: machine.system_id },
      { power_type: power.power_type, power_parameters: { ...power.power_parameters } },
    );
  }
}

/** What the list shows is done to all of it with one call. */
async function allAtOnce(page: Page, url: string, key: string): Promise<void> {
  const client = createClient({ url, key });
  await client.call('Tags.create', {}, { name: 'first-rack' });
  await page.getByRole('button', { name: `Act on all ${rackSize}…` }).click();
  const asking = page.getByRole('dialog', { name: `${rackSize} machines at once` });
  await asking.getByRole('button', { name: /What to do/ }).click();
  await page.getByRole('option', { name: 'Tag', exact: true }).click();
  await asking.getByRole('button', { name: /Which tag/ }).click();
  await page.getByRole('option', { name: 'first-rack' }).click();
  await asking.getByRole('button', { name: `Tag: ${rackSize} machines` }).click();
  const result = page.getByRole('dialog', { name: `Tag: ${rackSize} machines` });
  await result.getByText(`${rackSize} machines done`).waitFor();
  await result.getByRole('button', { name: 'Close' }).click();
  assert.equal((await client.call('Machines.read', {}, { tags: ['first-rack'], fields: 'system_id' })).length, rackSize);
  say(`${rackSize} machines were tagged at once`);
}

async function fromNewToDeployed(page: Page): Promise<void> {
  const first = page.locator('.machine-row a.host').first();
  for (const [key, at] of [
    ['j', 0],
    ['j', 1],
    ['ArrowDown', 2],
    ['k', 1],
  ] as const) {
    await page.keyboard.press(key);
    assert.equal(await page.evaluate(() => document.activeElement?.closest('[data-index]')?.getAttribute('data-index')), String(at));
  }
  const name = await first.innerText();
  await page.keyboard.press('/');
  await page.keyboard.type(`name:${name}`);
  await page.getByText(`1 of ${rackSize} machines`).waitFor();
  assert.match(page.url(), /[?&]q=name/);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name, level: 1 }).waitFor();
  const state = page.locator('.machine-head .badge');
  const reaches = async (name: string): Promise<void> => {
    await state.and(page.locator(`[data-state="${name}"]`)).waitFor({ timeout: patience });
    say(`the page says ${name}`);
  };
  const deploy = page.getByRole('button', { name: 'Deploy…' });
  assert.equal(await deploy.getAttribute('aria-disabled'), 'true');
  assert.match((await deploy.getAttribute('title')) ?? '', /^Not while it is New; possible when Ready/);

  await page.getByRole('button', { name: 'Commission', exact: true }).click();
  await reaches('commissioning');
  await reaches('ready');
  await page.getByRole('article', { name: 'commission, done' }).waitFor();
  await page.getByRole('button', { name: 'Allocate' }).click();
  await reaches('allocated');
  await deploy.click();
  const dialog = page.getByRole('dialog', { name: `Deploy: ${name}` });
  await dialog.getByRole('button', { name: /^Image|default image/ }).click();
  await page.getByRole('option', { name: /simulated\/1/ }).click();
  await dialog.getByRole('button', { name: 'Deploy', exact: true }).click();
  await reaches('deploying');
  await page.getByRole('article', { name: 'deploy, under way' }).waitFor();
  await reaches('deployed');
  const done = page.getByRole('article', { name: 'deploy, done' });
  await done.waitFor();
  assert.ok((await done.locator('.steps li').count()) >= 3, 'the steps of the deployment are there, with times');
  await page.getByRole('list', { name: 'Events' }).getByText('Operation done').first().waitFor();

  await page.getByRole('button', { name: 'Lock', exact: true }).click();
  const release = page.getByRole('button', { name: 'Release…' });
  await release.and(page.locator('[title="It is locked: unlock it first."]')).waitFor();
  await page.getByRole('button', { name: 'Unlock…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Unlock' }).click();
  await release.and(page.locator(':not([aria-disabled])')).click();
  const ask = page.getByRole('alertdialog', { name: `Release: ${name}` });
  await ask.getByText('Leave them as they are').waitFor();
  await ask.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await state.getAttribute('data-state'), 'deployed');
  say('locked, unlocked, and a release thought better of');
}

/** Dark by the system and by choice, the help by its key, and a narrow page that needs no scrolling sideways. */
async function looks(page: Page): Promise<void> {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.keyboard.press('t');
  assert.equal(await ground(), light, 'light was chosen');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.keyboard.press('t');
  assert.equal(await ground(), dark, 'dark was chosen');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).getByText('Next machine').waitFor();
  await page.keyboard.press('Escape');
  await page.setViewportSize({ width: 390, height: 800 });
  for (const link of ['Cells', 'Machines', 'Findings']) {
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: link }).click();
    await page.locator('main .page').waitFor();
    const width = await page.evaluate(() =>
      Math.max(document.documentElement.scrollWidth, document.querySelector('main')?.scrollWidth ?? 0),
    );
    assert.ok(width <= 390, `${link} is ${width} pixels wide on a page of 390`);
  }
  say('dark and light, help, and 390 pixels');
}

async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: /sign out/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to Muster' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Sign in to Muster' }).waitFor();
  say('signed out, also after loading the page again');
}
