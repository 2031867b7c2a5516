import { sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHubTrust, type TrustedKey } from './hub-trust.ts';
import { judgeRotations, makeRotation, readRotation } from './key-rotation.ts';
import { GlobalMemory } from './memory.ts';
import { mintSession, readSession, replacedKeys } from './session.ts';
import { generateSigningKey, type SigningKey } from './signing-key.ts';

const keys = Array.from({ length: 5 }, generateSigningKey);
const [a, b, c, d, e] = keys as [SigningKey, SigningKey, SigningKey, SigningKey, SigningKey];
const chain = [makeRotation(a, b, 1_000_000), makeRotation(b, c, 2_000_000), makeRotation(c, d, 3_000_000)];

/** As `makeRotation`, with these signers. */
function signedBy(from: string, to: string, signers: readonly SigningKey[]): string {
  const payload = Buffer.from(JSON.stringify({ from, to, at: 1 })).toString('base64url');
  const signatures = signers.map((key) => sign(null, Buffer.from(`muster rotation\n${payload}`), key.privateKey).toString('base64url'));
  return [payload, ...signatures].join('.');
}

describe('a chain of new keys', () => {
  test('is followed from any key of it to the last, in whatever order it comes', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(chain, { minLength: 3 }), fc.nat({ max: 2 }), (texts, at) => {
        expect(judgeRotations(texts, keys[at]!.text)).toEqual({ verdict: 'follow', path: chain.slice(at), to: d.text });
      }),
    );
    expect(judgeRotations(chain, d.text)).toEqual({ verdict: 'nothing' });
    expect(judgeRotations(chain, e.text)).toEqual({ verdict: 'nothing' });
    expect(judgeRotations([chain[0]!, chain[2]!], a.text)).toMatchObject({ to: b.text });
  });

  test.each([
    ['by the old key alone', [a, a]],
    ['by the new key alone', [e, e]],
    ['by neither', [c, d]],
    ['in the wrong order', [e, a]],
  ])('with a link signed %s leads nowhere, also not along the good links before it', (_how, signers) => {
    const bad = signedBy(a.text, e.text, signers);
    expect(readRotation(bad)).toBeUndefined();
    expect(judgeRotations([bad], a.text).verdict).toBe('refuse');
    const later = signedBy(c.text, e.text, [c, c]);
    expect(judgeRotations([chain[0]!, chain[1]!, later], a.text).verdict).toBe('refuse');
  });

  test('that leads in a circle, or on for ever, is refused', () => {
    expect(judgeRotations([chain[0]!, makeRotation(b, a, 5)], a.text).verdict).toBe('refuse');
    expect(judgeRotations(Array<string>(1_001).fill(chain[0]!), a.text).verdict).toBe('refuse');
  });

  test('of any changed text is not followed', () => {
    const good = chain[0]!;
    fc.assert(
      fc.property(fc.nat({ max: good.length - 1 }), fc.constantFrom(...'AZ09_-.'), (at, letter) => {
        const changed = good.slice(0, at) + letter + good.slice(at + 1);
        // The last letter of a signature holds four bits that mean nothing.
        if (changed !== good)
          expect(judgeRotations([changed], a.text)).not.toMatchObject({ to: expect.not.stringMatching(b.text) as string });
        if (changed !== good && readRotation(changed)) expect(readRotation(changed)).toEqual(readRotation(good));
      }),
    );
    fc.assert(fc.property(fc.array(fc.string()), (texts) => judgeRotations(texts, a.text).verdict === 'nothing'));
  });
});

describe('sessions of a key that was replaced', () => {
  const at = 1_800_000_000;
  const user = { id: 2, username: 'ann', email: '', is_superuser: false, is_local: true, generation: 1 };
  const reader = new GlobalMemory();
  reader.apply({
    stream: 'access',
    to: { epoch: 1, n: 1 },
    whole: true,
    documents: [{ kind: 'user', id: '2', stream: 'access', revision: { epoch: 1, n: 1 }, retired: false, body: user }],
  });
  const keys = [{ key: b.publicKey }, ...replacedKeys([readRotation(makeRotation(a, b, at * 1000))!])];
  const accepted = (key: SigningKey, minted: number, now: number): boolean =>
    readSession(mintSession(key.privateKey, user, minted * 1000), keys, reader, now * 1000) !== undefined;

  test('live until they end; none that was made later is believed, nor one of a stranger', () => {
    expect([accepted(a, at - 60, at), accepted(a, at - 1, at + 890), accepted(a, at - 1, at + 1_000)]).toEqual([true, true, false]);
    expect([accepted(a, at + 120, at + 120), accepted(a, at + 86_400, at + 86_400)]).toEqual([false, false]);
    expect([accepted(b, at + 120, at + 120), accepted(c, at, at)]).toEqual([true, false]);
  });
});

describe('trust', () => {
  const open = (remember: (trusted: TrustedKey) => Promise<void>, findings: unknown[] = []) =>
    createHubTrust({
      trusted: { hubKey: a.text, rotations: [] },
      remember,
      findings: { report: (finding) => void findings.push(finding) },
      graceMs: 0,
    });

  test('moves when the new key has been remembered, and not before', async () => {
    const seen: string[] = [];
    const trust = open(async (trusted) => {
      seen.push(trusted.hubKey);
      expect(trust.now().hubKey).toBe(a.text);
    });
    trust.onChange(async () => void seen.push('told'));
    expect(await trust.follow(chain)).toBe(true);
    expect(seen).toEqual([d.text, 'told']);
    expect(trust.now()).toEqual({ hubKey: d.text, rotations: chain });
    expect(trust.batchKeys().map((key) => key.equals(d.publicKey))).toEqual([true]);
    expect([trust.wasTrusted(a.text), trust.wasTrusted(c.text), trust.wasTrusted(e.text)]).toEqual([true, true, false]);
    expect(await trust.follow(chain)).toBe(false);
  });

  test('stays when it cannot be remembered: a full disk, a kill', async () => {
    const trust = open(() => Promise.reject(new Error('no space left')));
    await expect(trust.follow(chain)).rejects.toThrow('no space left');
    expect(trust.now()).toEqual({ hubKey: a.text, rotations: [] });
  });

  test('stays, and reports, when only one key has signed', async () => {
    const findings: unknown[] = [];
    const trust = open(() => Promise.reject(new Error('never')), findings);
    expect(await trust.follow([signedBy(a.text, e.text, [e, e])])).toBe(false);
    expect(trust.now().hubKey).toBe(a.text);
    expect(findings).toMatchObject([
      { kind: 'refused_batch', subject: 'hub key', data: { reason: expect.stringContaining('only one') as string } },
    ]);
  });

  test('accepts what the former key signed for a moment, for other processes of the hub may be slower', async () => {
    const trust = createHubTrust({
      trusted: { hubKey: a.text, rotations: [] },
      remember: async () => undefined,
      findings: { report: () => undefined },
    });
    await trust.follow([chain[0]!]);
    expect(trust.batchKeys().map((key) => [a, b].find((one) => key.equals(one.publicKey)))).toEqual([b, a]);
  });
});
