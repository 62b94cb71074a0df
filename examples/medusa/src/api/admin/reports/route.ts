import type { MedusaRequest, MedusaResponse } from "@medusajs/framework/http"
import { Modules } from "@medusajs/framework/utils"
import { REPORT_MODULE } from "../../../modules/report"
import type ReportService from "../../../modules/report/service"

type Order = { seconds?: number }

// Orders a report: a worker makes it after so many seconds. Until then the order lies in Redis.
export async function POST(req: MedusaRequest<Order>, res: MedusaResponse) {
  const report = await req.scope.resolve<ReportService>(REPORT_MODULE).createReports({})
  await req.scope
    .resolve(Modules.EVENT_BUS)
    .emit({ name: "report.ordered", data: { id: report.id } }, { delay: (req.body.seconds ?? 0) * 1000 })
  res.status(202).json({ report })
}
