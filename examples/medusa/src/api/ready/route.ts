import type { MedusaRequest, MedusaResponse } from "@medusajs/framework/http"
import { ContainerRegistrationKeys } from "@medusajs/framework/utils"

const patience = 2000 // milliseconds

// The load balancer asks here: /health stays 200 when the database is gone, and that is right for a task's own health
// check, because a new task would not have a database either.
export async function GET(req: MedusaRequest, res: MedusaResponse) {
  try {
    // The pool waits a minute for a connection that cannot be made; the load balancer does not.
    await Promise.race([req.scope.resolve(ContainerRegistrationKeys.PG_CONNECTION).raw("select 1"), tooLate()])
    res.json({ ready: true })
  } catch (error) {
    req.scope.resolve(ContainerRegistrationKeys.LOGGER).warn(`not ready: ${error}`)
    res.status(503).json({ ready: false })
  }
}

function tooLate(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`the database did not answer within ${patience} ms`)), patience).unref()
  })
}
