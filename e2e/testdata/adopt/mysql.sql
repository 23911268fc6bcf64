-- Twenty tables and views with what tables of others have on MariaDB and MySQL.
CREATE TABLE language (language_id tinyint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, name char(20) NOT NULL, last_update timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp());
CREATE TABLE actor (actor_id smallint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, first_name varchar(45) NOT NULL, last_name varchar(45) NOT NULL, last_update timestamp NOT NULL DEFAULT current_timestamp(), KEY idx_last (last_name)) COMMENT='Somebody who plays.';
CREATE TABLE category (category_id int NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(25) NOT NULL, parent_id int, FOREIGN KEY (parent_id) REFERENCES category (category_id));
CREATE TABLE film (film_id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, title varchar(255) NOT NULL, description text, release_year year, language_id tinyint unsigned NOT NULL, original_language_id tinyint unsigned,
 rental_duration tinyint unsigned NOT NULL DEFAULT 3, rental_rate decimal(4,2) NOT NULL DEFAULT 4.99, length smallint unsigned, rating enum('G','PG','PG-13','R','NC-17') DEFAULT 'G', special_features set('Trailers','Commentaries'), active tinyint(1) NOT NULL DEFAULT 1,
 slug varchar(255) GENERATED ALWAYS AS (lower(title)) STORED, last_update timestamp NOT NULL DEFAULT current_timestamp(), FULLTEXT KEY (title, description),
 CONSTRAINT film_language FOREIGN KEY (language_id) REFERENCES language (language_id), CONSTRAINT film_original FOREIGN KEY (original_language_id) REFERENCES language (language_id) ON DELETE SET NULL);
CREATE TABLE film_actor (actor_id smallint unsigned NOT NULL, film_id int unsigned NOT NULL, last_update timestamp NOT NULL DEFAULT current_timestamp(), PRIMARY KEY (actor_id, film_id), FOREIGN KEY (actor_id) REFERENCES actor (actor_id), FOREIGN KEY (film_id) REFERENCES film (film_id));
CREATE TABLE film_category (film_id int unsigned NOT NULL, category_id int NOT NULL, PRIMARY KEY (film_id, category_id), FOREIGN KEY (film_id) REFERENCES film (film_id), FOREIGN KEY (category_id) REFERENCES category (category_id));
CREATE TABLE country (iso char(2) NOT NULL PRIMARY KEY, country varchar(50) NOT NULL);
CREATE TABLE city (city_id mediumint NOT NULL AUTO_INCREMENT PRIMARY KEY, city varchar(50) NOT NULL COMMENT 'As its people call it.', country_iso char(2) NOT NULL, spot point, FOREIGN KEY (country_iso) REFERENCES country (iso) ON DELETE CASCADE);
CREATE TABLE staff (staff_id int NOT NULL AUTO_INCREMENT PRIMARY KEY, first_name varchar(45) NOT NULL, email varchar(50) UNIQUE, username varchar(16) NOT NULL UNIQUE, password varchar(40), picture blob, reports_to int, FOREIGN KEY (reports_to) REFERENCES staff (staff_id));
CREATE TABLE CustomerOrders (OrderID bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, custName text NOT NULL, `type` tinytext, `order` int, total decimal(12,4), meta json, placed datetime, opening time, ratio double, day date);
CREATE TABLE order_line (OrderID bigint NOT NULL, line_no int NOT NULL, film_id int unsigned, qty int NOT NULL, PRIMARY KEY (OrderID, line_no), CHECK (qty > 0), FOREIGN KEY (OrderID) REFERENCES CustomerOrders (OrderID), FOREIGN KEY (film_id) REFERENCES film (film_id));
CREATE TABLE order_note (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, OrderID bigint, line_no int, body text NOT NULL, FOREIGN KEY (OrderID, line_no) REFERENCES order_line (OrderID, line_no));
CREATE TABLE audit_log (happened datetime(6) NOT NULL, what text);
CREATE TABLE drug (sku char(6) NOT NULL PRIMARY KEY, name varchar(100) NOT NULL, kind varchar(10) NOT NULL DEFAULT 'pill' CHECK (kind IN ('pill', 'drop', 'shot')), price decimal(8,2) NOT NULL CHECK (price >= 0), room smallint CHECK (room BETWEEN 1 AND 99), amount decimal(30,10), CHECK (char_length(name) > 0));
CREATE TABLE hen (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, egg_id int);
CREATE TABLE egg (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, hen_id int NOT NULL, FOREIGN KEY (hen_id) REFERENCES hen (id));
ALTER TABLE hen ADD FOREIGN KEY (egg_id) REFERENCES egg (id);
CREATE TABLE shift (staff_id int NOT NULL, day date NOT NULL, starts time NOT NULL, ends time, PRIMARY KEY (staff_id, day, starts), CHECK (ends > starts), FOREIGN KEY (staff_id) REFERENCES staff (staff_id));
CREATE TABLE `two words` (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, a int);
CREATE VIEW film_titles AS SELECT film_id AS id, title FROM film;
CREATE VIEW a_film_count AS SELECT count(*) AS films FROM film_titles;
CREATE VIEW b_titles AS SELECT id, title FROM film_titles;
CREATE OR REPLACE VIEW a_film_count AS SELECT count(*) AS films FROM b_titles;
CREATE TRIGGER film_title BEFORE INSERT ON film FOR EACH ROW SET NEW.description = coalesce(NEW.description, NEW.title);
INSERT INTO language (name) VALUES ('English'), ('German');
INSERT INTO film (title, language_id, release_year) VALUES ('One', 1, 2001), ('Two', 2, NULL);
INSERT INTO category (name) VALUES ('Drama');
INSERT INTO film_category VALUES (1, 1);
INSERT INTO CustomerOrders (custName, meta, placed) VALUES ('Ann', '{"a": 1}', '2026-01-02 03:04:05');
