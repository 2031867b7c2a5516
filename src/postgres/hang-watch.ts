import pg from 'pg';

/**
 * A server that hangs (stopped, its host gone without a word) never answers, and no time-out of its own runs either. So a statement
 * that takes long has the server asked on a fresh connection: when that does not answer, the statement's connection is cut.
 */
export type HangWatch = {
  /** Watches a statement on this client until the returned function is called. */
  watch(client: pg.PoolClient): () => void;
};

/** A statement may take this long before somebody asks, and the server that long to answer. */
const patienceMs = 3_000;
const answerMs = 2_000;
/** After a turn of the event loop as long as this a time-out says nothing: it fires before the answer that has come meanwhile is read. */
const blockedMs = 500;
const mostLooks = 3;

export function hangWatch(connection: pg.ClientConfig): HangWatch {
  let asking: Promise<boolean> | undefined;
  /** Whoever asks meanwhile shares the answer. */
  const answers = (): Promise<boolean> => (asking ??= answersNow(connection).finally(() => (asking = undefined)));
  return {
    watch(client) {
      let timer = setTimeout(look, patienceMs);
      let isOver = false;
      function look(): void {
        void answers().then((alive) => {
          if (isOver) return;
          if (alive) timer = setTimeout(look, patienceMs);
          // With a statement under way this cuts the connection, and the statement fails with "Connection terminated".
          else void (client as unknown as pg.Client).end().catch(() => undefined);
        });
      }
      return () => {
        isOver = true;
        clearTimeout(timer);
      };
    },
  };
}

async function answersNow(connection: pg.ClientConfig): Promise<boolean> {
  for (let look = 1; ; look += 1) {
    let [turn, longest] = [performance.now(), 0];
    const measure = (): void => {
      const now = performance.now();
      longest = Math.max(longest, now - turn);
      turn = now;
    };
    const timer = setInterval(measure, 50);
    const isThere = await answersOnce(connection).finally(() => clearInterval(timer));
    measure();
    if (isThere || longest < blockedMs || look === mostLooks) return isThere;
  }
}

/** A server that refuses is no server that hangs: it says so on every connection. */
async function answersOnce(connection: pg.ClientConfig): Promise<boolean> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: answerMs, query_timeout: answerMs });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch (error) {
    return !(error instanceof Error && /timeout/i.test(error.message));
  } finally {
    void client.end().catch(() => undefined);
  }
}
