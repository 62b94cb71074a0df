import { Module } from "@medusajs/framework/utils"
import ReportService from "./service"

export const REPORT_MODULE = "report"

export default Module(REPORT_MODULE, { service: ReportService })
