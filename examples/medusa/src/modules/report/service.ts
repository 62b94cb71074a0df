import { MedusaService } from "@medusajs/framework/utils"
import { Report } from "./models/report"

export default class ReportService extends MedusaService({ Report }) {}
