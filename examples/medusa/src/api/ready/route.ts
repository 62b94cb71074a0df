import type { MedusaRequest, MedusaResponse } from "@medusajs/framework/http"
import { ContainerRegistrationKeys } from "@medusajs/framework/utils"

// The load balancer asks here: /health stays 200 when the database is gone, and that is right for a task's own health
// check, because a new task would not have a database either.
export async function GET(req: MedusaRequest, res: MedusaResponse) {
  try {
    await req.scope.resolve(ContainerRegistrationKeys.PG_CONNECTION).raw("select 1").timeout(2000)
    res.json({ ready: true })
  } catch (error) {
    req.scope.resolve(ContainerRegistrationKeys.LOGGER).warn(`not ready: ${error}`)
    res.status(503).json({ ready: false })
  }
}
