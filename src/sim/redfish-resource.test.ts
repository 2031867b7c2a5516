import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerRedfish, type BmcRequest, type BmcView } from './redfish-resource.ts';

const view: BmcView = {
  user: 'root',
  password: 'p',
  on: false,
  nextBoot: 'default',
  revision: 3,
  uuid: 'u',
  serial: 's',
  vendor: 'v',
  product: 'w',
};
const system = '/redfish/v1/Systems/1';
const request = (method: string, path: string, more: Partial<BmcRequest> = {}): BmcRequest => ({
  method,
  path,
  authorization: `Basic ${Buffer.from('root:p').toString('base64')}`,
  ifMatch: undefined,
  body: '',
  ...more,
});
const reset = (type: string, on: boolean) =>
  answerRedfish(request('POST', `${system}/Actions/ComputerSystem.Reset`, { body: JSON.stringify({ ResetType: type }) }), { ...view, on });

describe('redfish', () => {
  test('only the service root is open to all', () => {
    expect(answerRedfish(request('GET', '/redfish/v1/', { authorization: undefined }), view).status).toBe(200);
    expect(answerRedfish(request('GET', '/redfish/v1/Systems', { authorization: 'Basic eDp5' }), view).status).toBe(401);
  });

  test('the power state is the truth, or the lie', () => {
    expect(answerRedfish(request('GET', system), { ...view, on: true }).body).toMatchObject({ PowerState: 'On' });
    expect(answerRedfish(request('GET', system), { ...view, lie: 'Paused' }).body).toMatchObject({ PowerState: 'Paused' });
  });

  test.each([
    ['On', false, 'on'],
    ['On', true, undefined],
    ['ForceOff', false, 'off'],
    ['ForceRestart', true, 'reset'],
    ['ForceRestart', false, undefined],
    ['PowerCycle', true, 'cycle'],
    ['Nmi', true, undefined],
  ])('%s while on is %s orders %s', (type, on, power) => {
    expect(reset(type, on).order).toEqual(power === undefined ? undefined : { power, type });
  });

  test('the next boot needs the right entity tag', () => {
    const patch = (ifMatch: string | undefined) =>
      answerRedfish(
        request('PATCH', system, { ifMatch, body: '{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"Pxe"}}' }),
        view,
      );
    expect([patch(undefined).status, patch('"2"').status, patch('"3"').status, patch('*').status]).toEqual([428, 412, 200, 200]);
    expect(patch('"3"')).toMatchObject({ order: { nextBoot: 'network' }, headers: { etag: '"4"' } });
  });

  test('any request is answered', () => {
    const path = fc.constantFrom(system, `${system}/Actions/ComputerSystem.Reset`, '/redfish/v1', '/');
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom('{"ResetType":"__proto__"}', '{"Boot":{"BootSourceOverrideTarget":"constructor"}}'),
    );
    fc.assert(
      fc.property(fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE'), fc.oneof(path, fc.string()), body, (method, to, text) => {
        const { status } = answerRedfish(request(method, to, { body: text, ifMatch: '*' }), view);
        expect(status).toBeGreaterThanOrEqual(200);
        expect(status).toBeLessThan(500);
      }),
    );
  });
});
