package shop

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// M is a JSON object to send.
type M map[string]any

// Login signs a user of the admin in: the client may do what the user may.
func Login(ctx context.Context, address, email, password string) (*Client, error) {
	var in struct{ Token string }
	anyone := Anyone(address)
	if err := anyone.Post(ctx, "/auth/user/emailpass", M{"email": email, "password": password}, &in); err != nil {
		return nil, err
	}
	return anyone.with("Authorization", "Bearer "+in.Token), nil
}

// Counter is a shop's public side: the key that its web pages have, and where it sells.
type Counter struct {
	*Client
	Channel string // id of the sales channel
	Region  string // id of the region
}

// Counter looks up in the database what the shop's first data have made.
func (s *Shop) Counter(ctx context.Context, address string) (*Counter, error) {
	row, err := s.Data.Query(ctx, `select k.token, s.default_sales_channel_id, r.id from api_key k, store s, region r
		where k.type = 'publishable' and r.name = 'Europe'`)
	if err != nil {
		return nil, err
	}
	found := strings.Split(row, "|")
	if len(found) != 3 || strings.Contains(row, "\n") {
		return nil, fmt.Errorf("the shop has not the first data that it should have: %q", row)
	}
	return &Counter{Client: Anyone(address).with("x-publishable-api-key", found[0]), Channel: found[1], Region: found[2]}, nil
}

// Product is what a customer sees of a product.
type Product struct {
	ID, Title string
	Variants  []struct {
		ID    string
		Price struct {
			Amount   float64 `json:"calculated_amount"`
			Currency string  `json:"currency_code"`
		} `json:"calculated_price"`
	}
}

// AddProduct makes a product with one variant and a price in euros, on sale at the counter.
func AddProduct(ctx context.Context, clerk *Client, at *Counter, title string, euros float64) (id string, err error) {
	var made struct{ Product Product }
	err = clerk.Post(ctx, "/admin/products", M{
		"title": title, "status": "published", "sales_channels": []M{{"id": at.Channel}},
		"options": []M{{"title": "Size", "values": []string{"One"}}},
		"variants": []M{{
			"title": "One", "manage_inventory": false, "options": M{"Size": "One"},
			"prices": []M{{"currency_code": "eur", "amount": euros}},
		}},
	}, &made)
	return made.Product.ID, err
}

// Products lists what is on sale.
func (c *Counter) Products(ctx context.Context) ([]Product, error) {
	var listed struct{ Products []Product }
	err := c.Get(ctx, "/store/products?fields="+url.QueryEscape("id,title,*variants.calculated_price")+"&region_id="+c.Region, &listed)
	return listed.Products, err
}

// Product finds one that is on sale by its title.
func (c *Counter) Product(ctx context.Context, title string) (Product, error) {
	all, err := c.Products(ctx)
	if err != nil {
		return Product{}, err
	}
	at := slices.IndexFunc(all, func(p Product) bool { return p.Title == title && len(p.Variants) > 0 })
	if at < 0 {
		return Product{}, fmt.Errorf("no %q among the %d products on sale", title, len(all))
	}
	return all[at], nil
}

// Cart is a customer's cart.
type Cart struct {
	ID    string
	Total float64
	Items []struct {
		Title    string `json:"product_title"`
		Quantity int
	}
}

// Buy puts so many of a product into a new cart.
func (c *Counter) Buy(ctx context.Context, p Product, quantity int) (Cart, error) {
	var made struct{ Cart Cart }
	if err := c.Post(ctx, "/store/carts", M{"region_id": c.Region}, &made); err != nil {
		return Cart{}, err
	}
	err := c.Post(ctx, "/store/carts/"+made.Cart.ID+"/line-items", M{"variant_id": p.Variants[0].ID, "quantity": quantity}, &made)
	return made.Cart, err
}

// Version is what the shop's own route says.
type Version struct{ Greeting, Commit string }

// Version asks which commit answers.
func (c *Client) Version(ctx context.Context) (v Version, err error) {
	err = c.Get(ctx, "/version", &v)
	return v, err
}

// Report is a piece of work for a worker.
type Report struct {
	ID     string
	DoneBy string `json:"done_by"` // commit of the worker; empty: not yet
}

// OrderReport orders one that is to be made after so many seconds.
func (c *Client) OrderReport(ctx context.Context, seconds int) (Report, error) {
	var made struct{ Report Report }
	err := c.Post(ctx, "/admin/reports", M{"seconds": seconds}, &made)
	return made.Report, err
}

// Report asks how far one is.
func (c *Client) Report(ctx context.Context, id string) (Report, error) {
	var found struct{ Report Report }
	err := c.Get(ctx, "/admin/reports/"+id, &found)
	return found.Report, err
}
