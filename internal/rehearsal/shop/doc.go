// Package shop runs the Medusa shop of examples/medusa on a stage: its base image, its databases, its secrets in local
// Secrets Manager; and it is a customer and a clerk of that shop, by HTTP through the load balancer.
package shop
