-- Twenty tables and views with what tables of others have on SQLite.
CREATE TABLE language (language_id INTEGER PRIMARY KEY, name CHAR(20) NOT NULL, last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE actor (actor_id INTEGER PRIMARY KEY AUTOINCREMENT, first_name VARCHAR(45) NOT NULL, last_name VARCHAR(45) NOT NULL, last_update DATETIME NOT NULL DEFAULT (datetime('now')));
CREATE INDEX actor_last ON actor (last_name);
CREATE TABLE category (category_id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE, parent_id INT REFERENCES category);
CREATE TABLE "film" ("film_id" INTEGER PRIMARY KEY, "title" VARCHAR(255) NOT NULL, description TEXT, release_year INT CHECK (release_year BETWEEN 1901 AND 2155), -- a year
 language_id INT NOT NULL REFERENCES language (language_id), original_language_id INT REFERENCES language ON DELETE SET NULL, rental_rate DECIMAL(4,2) NOT NULL DEFAULT 4.99, length SMALLINT,
 rating TEXT DEFAULT 'G' CHECK (rating IN ('G', 'PG', 'PG-13', 'R', 'NC-17')), active BOOLEAN NOT NULL DEFAULT 1, shout TEXT GENERATED ALWAYS AS (upper(title)) VIRTUAL);
CREATE TABLE film_actor (actor_id INT NOT NULL REFERENCES actor, film_id INT NOT NULL REFERENCES film, last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (actor_id, film_id));
CREATE TABLE film_category (film_id INT NOT NULL REFERENCES film, category_id INT NOT NULL REFERENCES category, PRIMARY KEY (film_id, category_id)) WITHOUT ROWID;
CREATE TABLE country (iso CHAR(2) PRIMARY KEY NOT NULL, country VARCHAR(50) NOT NULL);
CREATE TABLE city (city_id INTEGER PRIMARY KEY, city VARCHAR(50) NOT NULL, country_iso CHAR(2) NOT NULL REFERENCES country (ISO) ON DELETE CASCADE);
CREATE TABLE staff (staff_id INTEGER PRIMARY KEY, first_name VARCHAR(45) NOT NULL, email VARCHAR(50) UNIQUE, username VARCHAR(16) NOT NULL UNIQUE, password VARCHAR(40), picture BLOB, reports_to INT REFERENCES staff);
CREATE TABLE CustomerOrders (OrderID INTEGER PRIMARY KEY, custName TEXT NOT NULL, "type" TEXT, "order" INT, total NUMERIC(12,4), meta JSON, placed DATETIME, opening TIME, ratio REAL, day DATE, thing);
CREATE TABLE order_line (OrderID INT REFERENCES CustomerOrders, line_no INT, film_id INT REFERENCES Film, qty INT NOT NULL CHECK (qty>0), PRIMARY KEY (OrderID, line_no));
CREATE TABLE order_note (id INTEGER PRIMARY KEY, OrderID INT, line_no INT, body TEXT NOT NULL, FOREIGN KEY (OrderID, line_no) REFERENCES order_line);
CREATE TABLE audit_log (happened DATETIME NOT NULL, what TEXT);
CREATE TABLE drug (sku VARCHAR(6) PRIMARY KEY NOT NULL, name VARCHAR(100) NOT NULL CHECK (length(name) > 0), price DECIMAL(8,2) NOT NULL CHECK (price >= 0), amount NUMERIC);
CREATE TABLE hen (id INTEGER PRIMARY KEY, egg_id INT REFERENCES egg DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE egg (id INTEGER PRIMARY KEY, hen_id INT NOT NULL REFERENCES hen DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE shift (staff_id INT NOT NULL REFERENCES staff, day DATE NOT NULL, starts TIME NOT NULL, ends TIME, CHECK (ends > starts), PRIMARY KEY (staff_id, day, starts));
CREATE TABLE tag (id UUID PRIMARY KEY NOT NULL, label TEXT NOT NULL UNIQUE);
CREATE TABLE "two words" (id INTEGER PRIMARY KEY, a INT);
CREATE VIRTUAL TABLE film_text USING fts5(title, content='film', content_rowid='film_id');
CREATE VIEW film_titles AS SELECT film_id AS id, title FROM film;
CREATE VIEW film_count AS SELECT count(*) AS films FROM film_titles;
CREATE TRIGGER film_text_insert AFTER INSERT ON film BEGIN INSERT INTO film_text (rowid, title) VALUES (NEW.film_id, NEW.title); END;
INSERT INTO language (name) VALUES ('English'), ('German');
INSERT INTO film (title, language_id, release_year) VALUES ('One', 1, 2001), ('Two', 2, NULL);
INSERT INTO category (name) VALUES ('Drama');
INSERT INTO film_category VALUES (1, 1);
INSERT INTO CustomerOrders (custName, meta, placed) VALUES ('Ann', '{"a": 1}', '2026-01-02 03:04:05');
