package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/shop"
)

// opened tells what is there before the first release.
func (s *show) opened() {
	from := "made"
	if s.Base.Cached {
		from = "found in the cache"
	}
	s.tell("base image: %.0f MB compressed, %s in %.1f s", megabytes(s.Base.Bytes), from, s.Base.Took.Seconds())
	s.tell("PostgreSQL and Redis listen for the tasks on host.docker.internal; their addresses are secrets in Secrets Manager")
	s.tell("ready after %.1f s", time.Since(s.Began).Seconds())
}

// first ships the shop for the first time.
func (s *show) first(ctx context.Context) error {
	s.say("the first version: built, migrated, shipped as a server and a worker")
	commit, err := s.Commit("open the shop")
	if err != nil {
		return err
	}
	begin := time.Now()
	if _, err := s.do(ctx, exitDone, "ship"); err != nil {
		return err
	}
	took := time.Since(begin)
	s.shipped(commit)
	if s.url, err = s.URL(ctx); err != nil {
		return err
	}
	if s.layers, err = s.Layers(ctx); err != nil {
		return err
	}
	bytes := int64(0)
	for _, size := range s.layers {
		bytes += size
	}
	s.tell("image: %.0f MB compressed; from nothing to verified running in %.1f minutes", megabytes(bytes), took.Minutes())
	return s.answers(ctx, commit, "Welcome to the shop")
}

// shopping is a day in the shop, by HTTP through the load balancer.
func (s *show) shopping(ctx context.Context) error {
	s.say("a day in the shop, by HTTP through the load balancer")
	s.email, s.password = "clerk@example.com", rand.Text()
	s.typed("aws ecs run-task …    # medusa user --email " + s.email + " --password …")
	if err := s.AddUser(ctx, s.email, s.password); err != nil {
		return err
	}
	var err error
	if s.clerk, err = shop.Login(ctx, s.url, s.email, s.password); err != nil {
		return err
	}
	s.tell("POST /auth/user/emailpass: %s is logged in", s.email)
	if s.counter, err = s.Shop.Counter(ctx, s.url); err != nil {
		return err
	}
	if _, err := shop.AddProduct(ctx, s.clerk, s.counter, "Teapot", 24.5); err != nil {
		return err
	}
	s.tell("POST /admin/products: a teapot is on sale")
	if err := s.buy(ctx, "Teapot", 2); err != nil {
		return err
	}
	var page string
	if err := shop.Anyone(s.url).Get(ctx, "/app", &page); err != nil {
		return err
	}
	if !strings.Contains(page, "<div id=\"medusa\">") {
		return fmt.Errorf("/app is not the admin: %.300s", page)
	}
	s.tell("GET /app: the admin is there")
	return nil
}

// buy lists the products as a customer and puts one into a cart.
func (s *show) buy(ctx context.Context, title string, quantity int) error {
	all, err := s.counter.Products(ctx)
	if err != nil {
		return err
	}
	var titles []string
	for _, p := range all {
		titles = append(titles, p.Title)
	}
	s.tell("GET /store/products: %s", strings.Join(titles, ", "))
	product, err := s.counter.Product(ctx, title)
	if err != nil {
		return err
	}
	cart, err := s.counter.Buy(ctx, product, quantity)
	if err != nil {
		return err
	}
	want := product.Variants[0].Price.Amount * float64(quantity)
	if len(cart.Items) != 1 || cart.Items[0].Quantity != quantity || cart.Items[0].Title != title || cart.Total != want || want == 0 {
		return fmt.Errorf("the cart is %+v, want %d × %s for %.2f", cart, quantity, title, want)
	}
	s.tell("POST /store/carts/…/line-items: %d × %s, %.2f %s", quantity, title, cart.Total, product.Variants[0].Price.Currency)
	return nil
}
