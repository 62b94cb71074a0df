import type { MedusaRequest, MedusaResponse } from "@medusajs/framework/http"
import { REPORT_MODULE } from "../../../../modules/report"
import type ReportService from "../../../../modules/report/service"

export async function GET(req: MedusaRequest, res: MedusaResponse) {
  res.json({ report: await req.scope.resolve<ReportService>(REPORT_MODULE).retrieveReport(req.params.id) })
}
