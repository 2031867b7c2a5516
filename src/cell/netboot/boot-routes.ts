/** The boot files as Fastify routes: anonymous, GET and HEAD, outside the API's table because firmware speaks no API. */
import type { FastifyInstance } from 'fastify';
import type { BootHandler } from './http-boot.ts';

/** Registers `/boot/*` on `app`. */
export function registerBootRoutes(app: FastifyInstance, handler: BootHandler): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/boot/*',
    handler: async (request, reply) => {
      const answer = await handler({ method: request.method, url: request.raw.url ?? '/', headers: request.headers, address: request.ip });
      reply.code(answer.status).headers(answer.headers);
      if (answer.body === undefined) return reply.send();
      return reply.send(Buffer.isBuffer(answer.body) ? answer.body : answer.body());
    },
  });
}
