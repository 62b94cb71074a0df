import type { SubscriberArgs, SubscriberConfig } from "@medusajs/framework"
import { REPORT_MODULE } from "../modules/report"
import type ReportService from "../modules/report/service"

// Only a worker has subscribers at work.
export default async function makeReport({ event, container }: SubscriberArgs<{ id: string }>) {
  await container
    .resolve<ReportService>(REPORT_MODULE)
    .updateReports({ id: event.data.id, done_by: process.env.COMMIT ?? "unknown" })
}

export const config: SubscriberConfig = { event: "report.ordered" }
