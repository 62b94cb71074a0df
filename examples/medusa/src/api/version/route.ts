import type { MedusaRequest, MedusaResponse } from "@medusajs/framework/http"

// Which commit answers.
export async function GET(_req: MedusaRequest, res: MedusaResponse) {
  res.json({ greeting: "Welcome to the shop", commit: process.env.COMMIT ?? "unknown" })
}
