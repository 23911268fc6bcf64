// Obvious implements the same routes as they are commonly written with Gin and GORM: the
// defaults of both, one pool, and the model as request and response body.
package main

import (
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	"github.com/libtnb/sqlite"
	"gorm.io/gorm"
)

// Post is a row of posts.
type Post struct {
	ID        int64     `json:"id"`
	Title     string    `json:"title" binding:"required,min=3"`
	Content   string    `json:"content" binding:"required"`
	Published bool      `json:"published"`
	Category  *string   `json:"category"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// User is a row of users.
type User struct {
	ID        int64     `json:"id"`
	Username  string    `json:"username"`
	Email     string    `json:"email"`
	Role      string    `json:"role"`
	IsActive  bool      `json:"is_active"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func main() {
	file := strings.TrimPrefix(os.Getenv("DATABASE_URL"), "sqlite:")
	gdb, err := gorm.Open(sqlite.Open("file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	gin.SetMode(gin.ReleaseMode)
	r := gin.Default()
	key := []byte(os.Getenv("APP_SECRET"))
	r.GET("/healthz", func(c *gin.Context) { c.Status(http.StatusOK) })
	api := r.Group("/api/v1")
	api.GET("/posts/:id", func(c *gin.Context) {
		var post Post
		if err := gdb.First(&post, c.Param("id")).Error; err != nil {
			c.JSON(http.StatusNotFound, gin.H{"error": "post not found"})
			return
		}
		c.JSON(http.StatusOK, post)
	})
	api.GET("/posts", func(c *gin.Context) {
		at, _ := strconv.Atoi(c.DefaultQuery("page", "1"))
		limit, _ := strconv.Atoi(c.DefaultQuery("limit", "10"))
		var posts []Post
		var total int64
		gdb.Model(&Post{}).Count(&total)
		gdb.Order("created_at desc, id desc").Limit(limit).Offset((at - 1) * limit).Find(&posts)
		c.JSON(http.StatusOK, gin.H{"items": posts, "total": total, "page": at, "limit": limit})
	})
	api.POST("/posts", func(c *gin.Context) {
		var post Post
		if err := c.ShouldBindJSON(&post); err != nil {
			c.JSON(http.StatusBadRequest, gin.H{"error": err.Error()})
			return
		}
		if err := gdb.Create(&post).Error; err != nil {
			c.JSON(http.StatusInternalServerError, gin.H{"error": err.Error()})
			return
		}
		c.JSON(http.StatusCreated, post)
	})
	api.GET("/users/me", func(c *gin.Context) {
		token, err := jwt.Parse(strings.TrimPrefix(c.GetHeader("Authorization"), "Bearer "), func(*jwt.Token) (any, error) { return key, nil })
		if err != nil {
			c.JSON(http.StatusUnauthorized, gin.H{"error": "unauthorized"})
			return
		}
		subject, _ := token.Claims.GetSubject()
		var user User
		if err := gdb.First(&user, subject).Error; err != nil {
			c.JSON(http.StatusUnauthorized, gin.H{"error": "unauthorized"})
			return
		}
		c.JSON(http.StatusOK, user)
	})
	log.Fatal(r.Run(os.Getenv("ADDR")))
}
